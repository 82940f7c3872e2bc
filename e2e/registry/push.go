package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"neargate/e2e/images"
)

// push copies what was made from the registry at an address to a reference.
func push(ctx context.Context, address, what, to string) error {
	ref, err := name.ParseReference(to)
	if err != nil {
		return err
	}
	made, err := images.Ref(what)
	if err != nil {
		return err
	}
	from, err := name.ParseReference(address + "/" + made)
	if err != nil {
		return err
	}
	password, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	login := remote.WithAuth(&authn.Basic{Username: "AWS", Password: strings.TrimSpace(string(password))})
	got, err := remote.Get(from, remote.WithContext(ctx))
	if err != nil {
		return err
	}
	if got.MediaType.IsIndex() {
		index, err := got.ImageIndex()
		if err != nil {
			return err
		}
		err = remote.WriteIndex(ref, index, login, remote.WithContext(ctx))
		if err != nil {
			return err
		}
	} else {
		image, err := got.Image()
		if err != nil {
			return err
		}
		if err := remote.Write(ref, image, login, remote.WithContext(ctx)); err != nil {
			return err
		}
	}
	fmt.Println("pushed", to+"@"+got.Digest.String())
	return nil
}
