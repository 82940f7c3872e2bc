package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"text/tabwriter"
	"time"

	"neargate/arn"
	"neargate/billing/book"
	"neargate/cmd/neargate/backup"
	"neargate/internal/install"
	"neargate/resource/identity"
	"neargate/store"
	"neargate/store/etcd"
	"neargate/store/tables"
)

// admin is the administration interface: HTTP on a unix socket that only the
// owner of the data directory can open.
type admin struct {
	dir   install.Dir
	store *etcd.Store
	usage *book.Book
	now   func() time.Time
	ids   *arn.Source
	pool  netip.Prefix // public addresses
}

var (
	errAccountID     = errors.New("an account id has 12 digits")
	errAccountExists = errors.New("the account exists already")
	errNoAccount     = errors.New("there is no such account")
)

func (a *admin) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /backup", func(w http.ResponseWriter, r *http.Request) {
		// A backup that fails midway has no trailer, which restore notices; the
		// connection is cut so that the client notices too.
		if err := a.keeper().Save(r.Context(), w); err != nil {
			panic(http.ErrAbortHandler)
		}
	})
	mux.HandleFunc("POST /restore", func(w http.ResponseWriter, r *http.Request) {
		err := a.keeper().Load(r.Context(), r.Body)
		if err == nil {
			_, err = a.ensureRoot(r.Context())
		}
		answer(w, struct{}{}, err)
	})
	mux.HandleFunc("GET /accounts", func(w http.ResponseWriter, r *http.Request) {
		list, err := a.accounts(r.Context())
		answer(w, list, err)
	})
	mux.HandleFunc("POST /accounts", func(w http.ResponseWriter, r *http.Request) {
		c, err := a.createAccount(r.Context(), r.FormValue("id"), r.FormValue("name"))
		answer(w, c, err)
	})
	mux.HandleFunc("POST /accounts/{id}/keys", func(w http.ResponseWriter, r *http.Request) {
		c, err := a.createKey(r.Context(), r.PathValue("id"))
		answer(w, c, err)
	})
	mux.HandleFunc("POST /bill", a.bill)
	mux.HandleFunc("POST /bill/export", a.export)
	mux.HandleFunc("POST /path", a.path)
	return mux
}

func (a *admin) keeper() backup.Keeper {
	return backup.Keeper{Store: a.store, Ledger: a.usage.Ledger, Dir: string(a.dir)}
}

func answer(w http.ResponseWriter, v any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

func (a *admin) accounts(ctx context.Context) (list []identity.Account, err error) {
	err = a.store.View(ctx, func(tx store.Tx) error {
		list, err = store.Collect(tables.Accounts.List(tx))
		return err
	})
	return list, err
}

func (a *admin) createAccount(ctx context.Context, id, name string) (install.Credentials, error) {
	if id == "" {
		id = a.ids.Digits(12)
	}
	if !arn.ValidAccount(id) {
		return install.Credentials{}, errAccountID
	}
	account, key := identity.NewAccount(id, name, a.now(), a.ids)
	err := a.store.Update(ctx, func(tx store.Tx) error {
		if _, exists, err := tables.Accounts.Find(tx, id); err != nil || exists {
			return errors.Join(err, errIf(exists, errAccountExists))
		}
		return errors.Join(tables.Accounts.Put(tx, &account), tables.AccessKeys.Put(tx, &key))
	})
	return install.Credentials{Account: id, AccessKeyID: key.ID, Secret: key.Secret}, err
}

func (a *admin) createKey(ctx context.Context, id string) (install.Credentials, error) {
	key := identity.NewAccessKey(id, "", a.now(), a.ids)
	err := a.store.Update(ctx, func(tx store.Tx) error {
		if _, exists, err := tables.Accounts.Find(tx, id); err != nil || !exists {
			return errors.Join(err, errIf(!exists, errNoAccount))
		}
		return tables.AccessKeys.Put(tx, &key)
	})
	return install.Credentials{Account: id, AccessKeyID: key.ID, Secret: key.Secret}, err
}

func errIf(cond bool, err error) error {
	if cond {
		return err
	}
	return nil
}

// ensureRoot makes the first account and its root key on a first start, and
// again whatever of the two a crash or a restore took away. The key file is
// written first, so that an acknowledged key is never lost.
func (a *admin) ensureRoot(ctx context.Context) (install.Credentials, error) {
	root, err := a.dir.Root()
	if errors.Is(err, os.ErrNotExist) {
		key := identity.NewAccessKey(arn.DefaultAccount, "", a.now(), a.ids)
		root = install.Credentials{Account: key.Account, AccessKeyID: key.ID, Secret: key.Secret}
		err = a.dir.SaveRoot(root)
	}
	if err != nil {
		return root, err
	}
	return root, a.store.Update(ctx, func(tx store.Tx) error {
		account, exists, err := tables.Accounts.Find(tx, root.Account)
		if err != nil {
			return err
		}
		if !exists {
			account = identity.Account{ID: root.Account, Name: "default", CreatedAt: a.now()}
			if err := tables.Accounts.Put(tx, &account); err != nil {
				return err
			}
		}
		if _, exists, err := tables.AccessKeys.Find(tx, root.AccessKeyID); err != nil || exists {
			return err
		}
		return tables.AccessKeys.Put(tx, &identity.AccessKey{
			ID: root.AccessKeyID, Secret: root.Secret, Account: root.Account,
			Status: identity.KeyActive, CreatedAt: a.now(),
		})
	})
}

// call sends one request to the administration interface of a running daemon.
func call(ctx context.Context, dir install.Dir, method, path string, body io.Reader) (io.ReadCloser, error) {
	if _, err := dir.Running(); err != nil {
		return nil, err
	}
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", dir.Socket())
	}}}
	req, err := http.NewRequestWithContext(ctx, method, "http://neargate"+path, body)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
		return nil, errors.New(string(bytes.TrimSpace(said)))
	}
	return resp.Body, nil
}

func account(ctx context.Context, std stdio, args []string) error {
	fs, dir := flags(std, "account")
	id := fs.String("id", "", "12-digit account `ID` (create: default a random one; key: required)")
	name := fs.String("name", "", "`NAME` of the account")
	verb := ""
	if len(args) > 0 {
		verb, args = args[0], args[1:]
	}
	if err := parse(fs, args, 0); err != nil {
		return err
	}
	d := install.Dir(*dir)
	switch verb {
	case "list":
		return listAccounts(ctx, std, d)
	case "create":
		return printKey(ctx, std, d, "/accounts?"+url.Values{"id": {*id}, "name": {*name}}.Encode())
	case "key":
		if !arn.ValidAccount(*id) {
			return errAccountID
		}
		return printKey(ctx, std, d, "/accounts/"+*id+"/keys")
	}
	fmt.Fprintln(std.err, "neargate account: create, list or key?")
	fs.Usage()
	return errUsage
}

func listAccounts(ctx context.Context, std stdio, d install.Dir) error {
	body, err := call(ctx, d, http.MethodGet, "/accounts", nil)
	if err != nil {
		return err
	}
	defer body.Close()
	var list []identity.Account
	if err := json.NewDecoder(body).Decode(&list); err != nil {
		return err
	}
	w := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ACCOUNT\tNAME\tCREATED")
	for _, a := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\n", a.ID, a.Name, a.CreatedAt.Format(time.RFC3339))
	}
	return w.Flush()
}

func printKey(ctx context.Context, std stdio, d install.Dir, path string) error {
	body, err := call(ctx, d, http.MethodPost, path, nil)
	if err != nil {
		return err
	}
	defer body.Close()
	var c install.Credentials
	if err := json.NewDecoder(body).Decode(&c); err != nil {
		return err
	}
	fmt.Fprintf(std.out, "# root key of account %s\nexport AWS_ACCESS_KEY_ID=%s\nexport AWS_SECRET_ACCESS_KEY=%s\n", c.Account, c.AccessKeyID, c.Secret)
	return nil
}

func saveState(ctx context.Context, std stdio, args []string) error {
	fs, dir := flags(std, "backup")
	if err := parse(fs, args, 1); err != nil {
		return err
	}
	body, err := call(ctx, install.Dir(*dir), http.MethodPost, "/backup", nil)
	if err != nil {
		return err
	}
	defer body.Close()
	return save(std, fs.Arg(0), body)
}

// save writes to a file, which appears under its name only when it is complete.
func save(std stdio, name string, body io.Reader) error {
	part := name + ".part"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(part)
	n, err := io.Copy(f, body)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(part, name)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(std.out, "%d bytes in %s\n", n, name)
	return nil
}

func restore(ctx context.Context, std stdio, args []string) error {
	fs, dir := flags(std, "restore")
	if err := parse(fs, args, 1); err != nil {
		return err
	}
	f, err := os.Open(fs.Arg(0))
	if err != nil {
		return err
	}
	defer f.Close()
	body, err := call(ctx, install.Dir(*dir), http.MethodPost, "/restore", f)
	if err != nil {
		return err
	}
	body.Close()
	fmt.Fprintln(std.out, "restored")
	return nil
}
