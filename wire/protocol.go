package wire

import (
	"net/http"
	"strings"

	"neargate/wire/form"
	"neargate/wire/json"
	"neargate/wire/shape"
	"neargate/wire/xml"
)

// protocol is how calls and answers are put into HTTP.
type protocol interface {
	// accepts refuses a request that cannot be one of the protocol, by its
	// headers alone.
	accepts(c *call) error
	// operation reads the name of the operation.
	operation(c *call) (string, error)
	// unknown is the error for the operation c.name, which does not exist.
	unknown(c *call) error
	// read fills the operation's input.
	read(c *call, in any) error
	// append appends the answer for the operation's output.
	append(c *call, b []byte, out any) []byte
	// appendError appends the body of an error, and sets the headers it has.
	appendError(c *call, b []byte, e *shape.Error) []byte
	contentType() string
}

// errNotHere is AWS's answer to what is no request of any JSON service: HTTP
// 404 and an XML element, whatever was sent.
var errNotHere = &notHere{}

type notHere struct{}

func (*notHere) Error() string { return "UnknownOperationException" }

const notHereBody = "<UnknownOperationException/>\n"

// awsJSON is awsJson1_0 or awsJson1_1.
type awsJSON struct{ mime string }

func (p awsJSON) contentType() string { return p.mime }

func (p awsJSON) accepts(c *call) error {
	mime, _, _ := strings.Cut(c.r.Header.Get("Content-Type"), ";")
	if c.r.Method != http.MethodPost || !strings.EqualFold(strings.TrimSpace(mime), p.mime) || c.r.Header.Get("X-Amz-Target") == "" {
		return errNotHere
	}
	_, err := p.operation(c)
	return err
}

func (p awsJSON) operation(c *call) (string, error) {
	prefix, name := target(c.r)
	if prefix != c.svc.TargetPrefix || c.svc.operations[name] == nil {
		return "", p.unknown(c)
	}
	return name, nil
}

// target splits the X-Amz-Target header. A prefix may be qualified, as in
// com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents.
func target(r *http.Request) (prefix, operation string) {
	t := r.Header.Get("X-Amz-Target")
	i := strings.LastIndexByte(t, '.')
	if i < 0 {
		return t, ""
	}
	prefix = t[:i]
	return prefix[strings.LastIndexByte(prefix, '.')+1:], t[i+1:]
}

func (awsJSON) unknown(*call) error {
	return shape.NewError("UnknownOperationException", http.StatusBadRequest, "").WithoutMessage()
}

func (awsJSON) read(c *call, in any) error { return json.Read(c.body, c.op.in, in) }

func (awsJSON) append(c *call, b []byte, out any) []byte { return json.Append(b, c.op.out, out) }

func (awsJSON) appendError(c *call, b []byte, e *shape.Error) []byte {
	c.w.Header()["X-Amzn-Errortype"] = []string{e.Code}
	return json.AppendError(b, e)
}

// formAction reads the parameters of a query request and names its operation.
func formAction(c *call) (string, error) {
	pairs, err := form.Parse(c.formText())
	if err != nil {
		return "", err
	}
	c.pairs = pairs
	return form.Get(pairs, "Action"), nil
}

// acceptsForm refuses methods no query service has.
func acceptsForm(c *call) error {
	switch c.r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
		return nil
	}
	return errNotHere
}

// awsQuery is the protocol of IAM, STS and others of their age.
type awsQuery struct{}

func (awsQuery) contentType() string { return "text/xml" }

func (awsQuery) accepts(c *call) error { return acceptsForm(c) }

func (p awsQuery) operation(c *call) (string, error) {
	name, err := formAction(c)
	switch {
	case err != nil:
		return "", err
	case name == "":
		return "", shape.Errorf("MissingAction", "Missing Action")
	case form.Get(c.pairs, "Version") != c.svc.Version:
		c.name = name
		return "", p.unknown(c)
	}
	return name, nil
}

func (awsQuery) unknown(c *call) error { return noAction(c.name, form.Get(c.pairs, "Version")) }

func noAction(name, version string) *shape.Error {
	if version == "" {
		version = "NO_VERSION_SPECIFIED"
	}
	return shape.Errorf("InvalidAction", "Could not find operation %s for version %s", name, version)
}

func (awsQuery) read(c *call, in any) error { return form.ReadQuery(c.pairs, c.op.in, in) }

func (awsQuery) append(c *call, b []byte, out any) []byte {
	return xml.AppendQuery(b, &c.svc.Service, &c.op.Operation, c.id, c.op.out, out)
}

func (awsQuery) appendError(c *call, b []byte, e *shape.Error) []byte {
	return xml.AppendQueryError(b, &c.svc.Service, c.id, e)
}

// ec2Query is Amazon EC2's variant of the query protocol.
type ec2Query struct{}

func (ec2Query) contentType() string { return "text/xml;charset=UTF-8" }

func (ec2Query) accepts(c *call) error { return acceptsForm(c) }

func (ec2Query) operation(c *call) (string, error) {
	name, err := formAction(c)
	switch {
	case err != nil:
		return "", err
	case name == "":
		return "", shape.Errorf("MissingParameter", "The request must contain the parameter Action")
	case form.Get(c.pairs, "Version") != c.svc.Version:
		return "", shape.Errorf("NoSuchVersion", "The requested version (%s) of service AmazonEC2 does not exist", form.Get(c.pairs, "Version"))
	}
	return name, nil
}

func (ec2Query) unknown(c *call) error {
	return shape.Errorf("InvalidAction", "The action %s is not valid for this web service.", c.name)
}

func (ec2Query) read(c *call, in any) error {
	return form.ReadEC2(c.pairs, c.op.in, in, c.r.Method != http.MethodPost)
}

func (ec2Query) append(c *call, b []byte, out any) []byte {
	return xml.AppendEC2(b, &c.svc.Service, c.op.Name, c.id, c.op.out, out)
}

func (ec2Query) appendError(c *call, b []byte, e *shape.Error) []byte {
	return xml.AppendEC2Error(b, c.id, e)
}
