package wire

import (
	"cmp"
	"errors"
	"net/http"
	"strings"

	"neargate/wire/json"
	"neargate/wire/rest"
	"neargate/wire/shape"
	"neargate/wire/xml"
)

// paths is what the protocols have in common that tell operations apart by method and
// path.
type paths struct{ router *rest.Router }

func (p paths) accepts(c *call) error {
	_, err := p.operation(c)
	return err
}

func (p paths) operation(c *call) (string, error) {
	name, labels, ok := p.router.Find(c.r.Method, c.r.URL.EscapedPath())
	if !ok {
		return "", errNotHere
	}
	c.labels = labels
	return name, nil
}

func (paths) unknown(*call) error { return errNotHere }

// bind reads what of an input is not in the body.
func (paths) bind(c *call, in any) error {
	return rest.Read(c.labels, c.r.URL.Query(), c.r.Header, c.op.in, in)
}

// head writes what of an output is not in the body.
func (paths) head(c *call, out any) {
	c.status = cmp.Or(rest.Write(c.w.Header(), c.op.out, out), c.op.Status)
}

// capital is a message that begins with a capital letter.
func capital(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}

// restXML is restXml, the protocol of Route 53.
type restXML struct{ paths }

func (restXML) contentType() string { return "text/xml" }

func (p restXML) read(c *call, in any) error {
	err := p.bind(c, in)
	if err == nil {
		err = xml.Read(c.body, c.op.Name+"Request", c.op.in, in)
	}
	if errors.Is(err, xml.ErrMalformed) || errors.Is(err, rest.ErrInvalid) {
		return shape.Errorf("InvalidInput", "%s", capital(err))
	}
	return err
}

func (p restXML) append(c *call, b []byte, out any) []byte {
	p.head(c, out)
	return xml.AppendRest(b, &c.svc.Service, c.op.Name, c.op.out, out)
}

func (restXML) appendError(c *call, b []byte, e *shape.Error) []byte {
	return xml.AppendRestError(b, &c.svc.Service, c.id, e)
}

// restJSON is restJson1, the protocol of AWS Signer.
type restJSON struct{ paths }

func (restJSON) contentType() string { return "application/json" }

func (p restJSON) read(c *call, in any) error {
	err := p.bind(c, in)
	if err == nil {
		err = json.Read(c.body, c.op.in, in)
	}
	if errors.Is(err, rest.ErrInvalid) {
		return shape.Errorf("SerializationException", "%s", capital(err))
	}
	return err
}

func (p restJSON) append(c *call, b []byte, out any) []byte {
	p.head(c, out)
	if c.op.Void {
		return b
	}
	return json.Append(b, c.op.out, out)
}

func (restJSON) appendError(c *call, b []byte, e *shape.Error) []byte {
	c.w.Header()["X-Amzn-Errortype"] = []string{e.Code}
	return json.AppendRestError(b, e)
}

// atVersion reports whether a path begins with the version of a service that is
// reached by paths.
func atVersion(v *service, r *http.Request) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return v.Protocol == shape.XML && v.Version == first
}
