package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"neargate/cmd/neargate/paths"
	"neargate/internal/install"
	"neargate/resource/network/path"
)

// errUnreachable reports that the answer, which has been printed, is no.
var errUnreachable = errors.New("no path")

// maxPathRequest bounds what a path is asked with.
const maxPathRequest = 1 << 16

// path answers what neargate path asks.
func (a *admin) path(w http.ResponseWriter, r *http.Request) {
	var req paths.Request
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxPathRequest)).Decode(&req); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	res, err := paths.Find(r.Context(), a.store, a.pool, req)
	answer(w, res, err)
}

// pathCommand says whether traffic passes, hop by hop and rule by rule.
func pathCommand(ctx context.Context, std stdio, args []string) error {
	fs, dir := flags(std, "path")
	var req paths.Request
	req.Flags(fs)
	// Flags may also stand behind the operands.
	var operands []string
	for ; len(args) > 0 && len(operands) < 2 && !strings.HasPrefix(args[0], "-"); args = args[1:] {
		operands = append(operands, args[0])
	}
	if err := parse(fs, args, 2-len(operands)); err != nil {
		return err
	}
	operands = append(operands, fs.Args()...)
	if err := req.Parse(operands[0], operands[1]); err != nil {
		fmt.Fprintln(std.err, "neargate path:", err)
		return errUsage
	}
	b, err := json.Marshal(req)
	if err != nil {
		return err
	}
	body, err := call(ctx, install.Dir(*dir), http.MethodPost, "/path", bytes.NewReader(b))
	if err != nil {
		return err
	}
	defer body.Close()
	var res path.Result
	if err := json.NewDecoder(body).Decode(&res); err != nil {
		return err
	}
	if err := paths.Print(std.out, &req, &res); err != nil {
		return err
	}
	if !res.Found {
		return errUnreachable
	}
	return nil
}
