package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"neargate/e2e/story"
)

// row is one statement about how AWS was recorded to answer, as a call that shows
// it. The rows of a table are calls made in order in one account of its own.
// $NAME in a request or an expectation is a value kept by an earlier row; ACCOUNT,
// REGION and ECS, the beginning of the account's ECS ARNs, are there from the start.
type row struct {
	source string // where it was recorded
	op     string // operation
	in     string // JSON object, or the parameters of a form after Action and Version

	// want says what the answer is. Of each item the first word is a path in the
	// answer, such as tasks.0.taskArn, or raw for its text; then comes nothing
	// (the member is there), = and JSON it equals, or ~ and an expression it
	// matches. An item that begins with ! says that the member is absent.
	want  []string
	fails string // "Code: message" of the error that is the answer; "Code" for one without message
	with  string // the members, as JSON, that the error has besides
	code  int    // HTTP status; 200, or 400 for errors, unless given
	keep  string // NAME=path of a value to keep, or several
	await bool   // ask again until it is so
}

// patience is how long a row waits for what takes time.
const patience = 40 * time.Second

// client calls one account in one region.
type client struct {
	vars map[string]string
}

func newClient(t *testing.T) *client {
	t.Helper()
	vars, err := shared.Account()
	if err != nil {
		t.Fatal(err)
	}
	return (&client{vars}).in("us-east-1")
}

// in is the client in another region, with what was kept.
func (c *client) in(region string) *client {
	vars := maps.Clone(c.vars)
	vars["REGION"] = region
	vars["ECS"] = "arn:aws:ecs:" + region + ":" + vars["ACCOUNT"] + ":"
	return &client{vars}
}

func (c *client) expand(s string) string {
	return os.Expand(s, func(name string) string {
		if name == "$" {
			return name
		}
		v, ok := c.vars[name]
		if !ok {
			panic("nothing kept as " + name)
		}
		return v
	})
}

// run makes the calls of a table to a service.
func (c *client) run(t *testing.T, service string, rows []row) {
	t.Helper()
	for i, r := range rows {
		ok := t.Run(fmt.Sprintf("%02d %s %s", i, r.op, r.source), func(t *testing.T) {
			t.Helper()
			deadline := time.Now().Add(patience)
			for {
				a, wrong := c.try(t, service, &r)
				if len(wrong) == 0 {
					return
				}
				if !r.await || time.Now().After(deadline) {
					t.Fatalf("%s\n%s\n%s", strings.Join(wrong, "\n"), c.expand(r.in), a.body)
				}
				time.Sleep(50 * time.Millisecond)
			}
		})
		if !ok && r.keep != "" {
			t.FailNow() // what follows needs what was to be kept
		}
	}
}

// try makes the call of a row and says what is wrong with its answer.
func (c *client) try(t *testing.T, service string, r *row) (answer, []string) {
	t.Helper()
	a := c.call(t, service, r.op, c.expand(r.in), nil)
	wrong := a.form(service)
	if r.fails != "" {
		return a, append(wrong, a.failure(service, c.expand(r.fails), c.expand(r.with), r.code)...)
	}
	if want := max(r.code, http.StatusOK); a.status != want {
		return a, append(wrong, fmt.Sprintf("status %d, want %d", a.status, want))
	}
	for _, w := range r.want {
		if !a.holds(c.expand(w)) {
			wrong = append(wrong, "not so: "+c.expand(w))
		}
	}
	for _, k := range strings.Fields(r.keep) {
		name, path, _ := strings.Cut(k, "=")
		if v, ok := at(a.value, path); ok {
			c.vars[name] = fmt.Sprint(v)
		} else {
			wrong = append(wrong, "no "+path)
		}
	}
	return a, wrong
}

// answer is what came back from a call.
type answer struct {
	status int
	header http.Header
	body   string
	value  any // what the body says; nil if it cannot be read
}

// call signs and sends a request, after edit changed it, if given.
func (c *client) call(t *testing.T, service, operation, input string, edit func(*http.Request, *[]byte)) answer {
	t.Helper()
	header := http.Header{}
	if prefix, ok := story.Target(service); ok {
		if input == "" {
			input = "{}"
		}
		header.Set("X-Amz-Target", prefix+"."+operation)
		header.Set("Content-Type", "application/x-amz-json-1.1")
	} else {
		input = strings.TrimSuffix("Action="+operation+"&Version="+story.Version(service)+"&"+input, "&")
		header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	}
	req, err := http.NewRequest(http.MethodPost, c.vars["AWS_ENDPOINT_URL"]+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	body := []byte(input)
	if edit != nil {
		edit(req, &body)
	}
	sum := sha256.Sum256(body)
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	err = v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{
		AccessKeyID: c.vars["AWS_ACCESS_KEY_ID"], SecretAccessKey: c.vars["AWS_SECRET_ACCESS_KEY"], SessionToken: c.vars["AWS_SESSION_TOKEN"],
	}, req, hex.EncodeToString(sum[:]), service, c.vars["REGION"], time.Now())
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(b), read(b)}
}

// read is what a JSON or XML body says: nested maps, lists and texts or numbers.
func read(body []byte) any {
	if len(body) > 0 && body[0] == '<' {
		var e element
		if xml.Unmarshal(body, &e) != nil {
			return nil
		}
		for _, c := range e.Children {
			if strings.HasSuffix(c.XMLName.Local, "Result") {
				return c.value()
			}
		}
		return e.value()
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil
	}
	return v
}

type element struct {
	XMLName  xml.Name
	Text     string    `xml:",chardata"`
	Children []element `xml:",any"`
}

func (e *element) value() any {
	if len(e.Children) == 0 {
		return e.Text
	}
	if name := e.Children[0].XMLName.Local; name == "item" || name == "member" {
		var list []any
		for i := range e.Children {
			list = append(list, e.Children[i].value())
		}
		return list
	}
	m := map[string]any{}
	for i := range e.Children {
		m[e.Children[i].XMLName.Local] = e.Children[i].value()
	}
	return m
}

// at finds a member by its path; # is the length of a list.
func at(v any, path string) (any, bool) {
	for step := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			next, ok := x[step]
			if !ok {
				return nil, false
			}
			v = next
		case []any:
			if step == "#" {
				v = json.Number(strconv.Itoa(len(x)))
				continue
			}
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(x) {
				return nil, false
			}
			v = x[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// holds reports whether an expectation of a row is met.
func (a *answer) holds(want string) bool {
	if absent, ok := strings.CutPrefix(want, "!"); ok {
		_, is := at(a.value, absent)
		return !is
	}
	path, rest, _ := strings.Cut(want, " ")
	v, ok := at(a.value, path)
	if path == "raw" {
		v, ok = a.body, true
	}
	switch {
	case !ok || rest == "":
		return ok
	case rest[0] == '~':
		return regexp.MustCompile(strings.TrimSpace(rest[1:])).MatchString(fmt.Sprint(v))
	}
	wanted := read([]byte(strings.TrimSpace(strings.TrimPrefix(rest, "="))))
	if wanted == nil {
		panic("not JSON: " + want)
	}
	return reflect.DeepEqual(v, wanted)
}

var (
	uuid      = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	timestamp = regexp.MustCompile(`"[A-Za-z]+At":([^,}]+)`)
	epoch     = regexp.MustCompile(`^1\.[0-9]{0,11}[1-9]E9$`)
)

// form says what is wrong with the form that all answers of a service share.
func (a *answer) form(service string) (wrong []string) {
	if id := a.header.Get("x-amzn-RequestId"); !uuid.MatchString(id) {
		wrong = append(wrong, "request id "+id)
	}
	if a.header.Get("Date") == "" {
		wrong = append(wrong, "no Date")
	}
	mime := map[string]string{"ecs": "application/x-amz-json-1.1", "logs": "application/x-amz-json-1.1", "ec2": "text/xml;charset=UTF-8"}[service]
	if mime == "" {
		mime = "text/xml"
	}
	if got := a.header.Get("Content-Type"); got != mime {
		wrong = append(wrong, "content type "+got)
	}
	if service != "ecs" {
		return wrong
	}
	if !ordered(json.NewDecoder(strings.NewReader(a.body))) {
		wrong = append(wrong, "members out of order")
	}
	for _, m := range timestamp.FindAllStringSubmatch(a.body, -1) {
		if !epoch.MatchString(m[1]) {
			wrong = append(wrong, "time "+m[0])
		}
	}
	return wrong
}

// ordered reports whether the members of every object come in alphabetical order.
func ordered(d *json.Decoder) bool {
	token, err := d.Token()
	if err == io.EOF {
		return true
	}
	if err != nil {
		return false
	}
	var names []string
	for open, ok := token.(json.Delim); ok && d.More(); {
		if open == '{' {
			name, err := d.Token()
			if err != nil {
				return false
			}
			names = append(names, name.(string))
		}
		if !ordered(d) {
			return false
		}
	}
	if _, ok := token.(json.Delim); ok {
		d.Token()
	}
	return slices.IsSorted(names)
}

// failure says how the answer differs from an error, given as in row.
func (a *answer) failure(service, fails, with string, status int) (wrong []string) {
	if status == 0 {
		status = http.StatusBadRequest
	}
	if a.status != status {
		wrong = append(wrong, fmt.Sprintf("status %d, want %d", a.status, status))
	}
	code, message, spoken := strings.Cut(fails, ": ")
	if !strings.HasPrefix(a.body, "<") {
		members := map[string]any{}
		if with != "" {
			members = read([]byte(with)).(map[string]any)
		}
		members["__type"] = code
		if spoken {
			members["message"] = message
		}
		if !reflect.DeepEqual(a.value, any(members)) || !strings.HasPrefix(a.body, `{"__type":"`) {
			wrong = append(wrong, "want error "+fails)
		}
		return wrong
	}
	pattern := `^<ErrorResponse xmlns="[^"]+">\n  <Error>\n    <Type>Sender</Type>\n    <Code>%s</Code>\n    <Message>%s</Message>\n  </Error>\n  <RequestId>%s</RequestId>\n</ErrorResponse>\n$`
	if service == "ec2" {
		pattern = `^<\?xml version="1.0" encoding="UTF-8"\?>\n<Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors><RequestID>%s</RequestID></Response>$`
	}
	var escaped bytes.Buffer
	xml.EscapeText(&escaped, []byte(message))
	text := strings.NewReplacer("&#34;", "&quot;", "&#39;", "'").Replace(escaped.String())
	pattern = fmt.Sprintf(pattern, regexp.QuoteMeta(code), regexp.QuoteMeta(text), a.header.Get("x-amzn-RequestId"))
	if !regexp.MustCompile(pattern).MatchString(a.body) {
		wrong = append(wrong, "want error "+fails)
	}
	return wrong
}
