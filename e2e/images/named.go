package images

import "fmt"

// EnsureNamed makes images by their short names: httpd, busybox, guest, sample,
// caller, first.
func (l *Library) EnsureNamed(names ...string) error {
	for _, name := range names {
		recipes, err := named(name)
		if err != nil {
			return err
		}
		if err := l.Ensure(recipes...); err != nil {
			return err
		}
	}
	return nil
}

func named(name string) ([]Recipe, error) {
	switch name {
	case "httpd":
		return []Recipe{Httpd()}, nil
	case "busybox":
		return []Recipe{Busybox()}, nil
	}
	root, err := Root()
	if err != nil {
		return nil, err
	}
	switch name {
	case "guest":
		return Guest(root)
	case "caller":
		return Caller(root)
	case "first":
		return First(root)
	case "sample":
		return Sample(root)
	}
	return nil, fmt.Errorf("no image is called %q", name)
}

// Ref is what the image with a short name is called, with its tag.
func Ref(name string) (string, error) {
	recipes, err := named(name)
	if err != nil {
		return "", err
	}
	return recipes[0].Names[0], nil
}
