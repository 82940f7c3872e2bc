package call

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"neargate/auth/policy"
)

// Policy checks the policy of a repository or registry and returns it as ECR
// renders it. what is "repository" or "registry".
func Policy(text, what string) (string, error) {
	bad := Invalid("PolicyText", "Invalid "+what+" policy provided")
	doc, err := policy.Parse(text)
	if err != nil {
		return "", bad
	}
	for _, s := range doc.Statements {
		if len(s.Principals) == 0 || len(s.Actions) == 0 {
			return "", bad
		}
		for _, a := range s.Actions {
			if a != "*" && !strings.HasPrefix(strings.ToLower(a), "ecr:") {
				return "", bad
			}
		}
	}
	var b bytes.Buffer
	if err := render(&b, []byte(text), "", ""); err != nil {
		return "", bad
	}
	return b.String(), nil
}

// elements is the order in which the elements of policies are rendered.
var elements = []string{"Version", "Id", "Statement", "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"}

// render writes a JSON value: objects over several lines, lists within one, a list
// of one text as that text.
func render(b *bytes.Buffer, value json.RawMessage, key, indent string) error {
	value = bytes.TrimSpace(value)
	switch value[0] {
	case '{':
		return renderObject(b, value, indent)
	case '[':
		var list []json.RawMessage
		if err := json.Unmarshal(value, &list); err != nil {
			return err
		}
		if len(list) != 1 || key == "Statement" {
			return renderList(b, list, indent)
		}
		return render(b, list[0], "", indent)
	}
	b.Write(value)
	return nil
}

func renderList(b *bytes.Buffer, list []json.RawMessage, indent string) error {
	b.WriteString("[ ")
	for i, v := range list {
		if i > 0 {
			b.WriteString(", ")
		}
		if err := render(b, v, "", indent); err != nil {
			return err
		}
	}
	b.WriteString(" ]")
	return nil
}

func renderObject(b *bytes.Buffer, value json.RawMessage, indent string) error {
	names, members, err := object(value)
	if err != nil {
		return err
	}
	slices.SortStableFunc(names, func(x, y string) int { return slices.Index(elements, x) - slices.Index(elements, y) })
	inner := indent + "  "
	b.WriteString("{")
	for i, name := range names {
		if i > 0 {
			b.WriteString(",")
		}
		quoted, err := json.Marshal(name)
		if err != nil {
			return err
		}
		b.WriteString("\n" + inner)
		b.Write(quoted)
		b.WriteString(" : ")
		v := bytes.TrimSpace(members[name])
		if name == "Statement" && v[0] == '{' {
			v = append(append([]byte{'['}, v...), ']')
		}
		if err := render(b, v, name, inner); err != nil {
			return err
		}
	}
	b.WriteString("\n" + indent + "}")
	return nil
}

// object is an object's members and their names in order.
func object(value json.RawMessage) (names []string, members map[string]json.RawMessage, err error) {
	if err := json.Unmarshal(value, &members); err != nil {
		return nil, nil, err
	}
	d := json.NewDecoder(bytes.NewReader(value))
	if _, err := d.Token(); err != nil {
		return nil, nil, err
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, nil, err
		}
		names = append(names, t.(string))
		var skip json.RawMessage
		if err := d.Decode(&skip); err != nil {
			return nil, nil, err
		}
	}
	return names, members, nil
}
