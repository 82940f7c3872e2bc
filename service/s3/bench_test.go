package s3

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkObjects puts and gets objects over HTTP, signed. The floor of a put is
// a file that is written and synced with its folder, that of a get a file that is
// read.
func BenchmarkObjects(b *testing.B) {
	for _, size := range []int{4 << 10, 64 << 20} {
		content := make([]byte, size)
		rand.Read(content)
		sum := sha256.Sum256(content)
		name := fmt.Sprintf("%dKiB", size>>10)
		w := newWorld(b)
		w.must(w.do("root", "PUT /bkt", ""), 200, "")
		request := func(method, payload string) {
			r, err := http.NewRequest(method, w.server.URL+"/bkt/k", nil)
			if err != nil {
				b.Fatal(err)
			}
			if r.Host = r.URL.Host; method == http.MethodPut {
				r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(content)), int64(size)
			}
			w.sign(r, "root", "us-east-1", payload)
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				b.Fatal(err)
			}
			n, err := io.Copy(io.Discard, resp.Body)
			if err := errors.Join(err, resp.Body.Close()); err != nil || resp.StatusCode != 200 || method == http.MethodGet && n != int64(size) {
				b.Fatal(resp.Status, n, err)
			}
		}
		b.Run("put/"+name, func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				request(http.MethodPut, hex.EncodeToString(sum[:]))
			}
		})
		b.Run("get/"+name, func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				request(http.MethodGet, "UNSIGNED-PAYLOAD")
			}
		})
		folder := b.TempDir()
		b.Run("put-floor/"+name, func(b *testing.B) {
			b.SetBytes(int64(size))
			for i := 0; b.Loop(); i++ {
				if err := writeSynced(folder, fmt.Sprint(i%4), content); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("get-floor/"+name, func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				f, err := os.Open(filepath.Join(folder, "0"))
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(struct{ io.Writer }{io.Discard}, f); err != nil {
					b.Fatal(err)
				}
				f.Close()
			}
		})
	}
}

func writeSynced(folder, name string, content []byte) error {
	f, err := os.Create(filepath.Join(folder, name))
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
