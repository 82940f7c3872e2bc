package wire

import (
	"errors"
	"net/http"
	"strings"

	"neargate/wire/rest"
	"neargate/wire/shape"
	"neargate/wire/xml"
)

// restXML is restXml, the protocol of Route 53.
type restXML struct{ router *rest.Router }

func (restXML) contentType() string { return "text/xml" }

func (p restXML) accepts(c *call) error {
	_, err := p.operation(c)
	return err
}

func (p restXML) operation(c *call) (string, error) {
	name, labels, ok := p.router.Find(c.r.Method, c.r.URL.EscapedPath())
	if !ok {
		return "", errNotHere
	}
	c.labels = labels
	return name, nil
}

func (restXML) unknown(*call) error { return errNotHere }

func (restXML) read(c *call, in any) error {
	err := rest.Read(c.labels, c.r.URL.Query(), c.r.Header, c.op.in, in)
	if err == nil {
		err = xml.Read(c.body, c.op.Name+"Request", c.op.in, in)
	}
	if errors.Is(err, xml.ErrMalformed) || errors.Is(err, rest.ErrInvalid) {
		text := err.Error()
		return shape.Errorf("InvalidInput", "%s", strings.ToUpper(text[:1])+text[1:])
	}
	return err
}

func (restXML) append(c *call, b []byte, out any) []byte {
	rest.Write(c.w.Header(), c.op.out, out)
	c.status = c.op.Status
	return xml.AppendRest(b, &c.svc.Service, c.op.Name, c.op.out, out)
}

func (restXML) appendError(c *call, b []byte, e *shape.Error) []byte {
	return xml.AppendRestError(b, &c.svc.Service, c.id, e)
}

// atVersion reports whether a path begins with the version of a service that is
// reached by paths.
func atVersion(v *service, r *http.Request) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return v.Protocol == shape.XML && v.Version == first
}
