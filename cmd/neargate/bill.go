package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"neargate/arn"
	"neargate/billing/book"
	"neargate/billing/ledger"
	"neargate/billing/report"
	"neargate/internal/install"
	"neargate/internal/pause"
	"neargate/internal/telemetry"
	"neargate/resource/billing"
	"neargate/wire/sigv4"
	"neargate/wire/upload"
)

// openUsage opens what tasks have used.
func (d *daemon) openUsage() error {
	l, err := ledger.Open(ledger.Config{Dir: d.dir.Ledger(), Log: d.log})
	if err != nil {
		return err
	}
	d.usage = &book.Book{Store: d.store, Ledger: l, Terms: billing.DefaultTerms(), Now: time.Now}
	return d.tel.Costs(d.costs)
}

// costs are what tasks have cost this month, for graphs.
func (d *daemon) costs() ([]telemetry.Cost, error) {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	r, err := report.MonthToDate(ctx, d.usage, time.Now())
	if err != nil {
		return nil, err
	}
	var out []telemetry.Cost
	for _, row := range r.Rows {
		amount, err := strconv.ParseFloat(row.Cost.String(), 64)
		if err != nil {
			return nil, err
		}
		k := row.Keys
		out = append(out, telemetry.Cost{Account: k[0], Region: k[1], Cluster: k[2], Service: k[3], UsageType: k[4], Currency: r.Currency, Amount: amount})
	}
	return out, nil
}

// maxBillRequest bounds what a bill is asked with, a price list included.
const maxBillRequest = 8 << 20

// bill answers what neargate bill asks.
func (a *admin) bill(w http.ResponseWriter, r *http.Request) {
	var req report.Request
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBillRequest)).Decode(&req); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answered, err := req.Report(r.Context(), a.usage, a.now())
	answer(w, answered, err)
}

// export answers neargate bill export. An export that fails midway is cut off, so
// that the client notices.
func (a *admin) export(w http.ResponseWriter, r *http.Request) {
	var req report.Request
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBillRequest)).Decode(&req); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	accounts, err := a.accounts(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	name := func(id string) string {
		for _, a := range accounts {
			if a.ID == id && a.Name != "" {
				return a.Name
			}
		}
		return id
	}
	out := &counted{to: w}
	switch err := req.Export(r.Context(), a.usage, out, r.FormValue("format"), name); {
	case err != nil && out.begun:
		panic(http.ErrAbortHandler)
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

// counted knows whether anything was written.
type counted struct {
	to    io.Writer
	begun bool
}

// Write implements io.Writer.
func (c *counted) Write(b []byte) (int, error) {
	c.begun = c.begun || len(b) > 0
	return c.to.Write(b)
}

// billCommand prints what tasks have cost, or writes it to a file.
func billCommand(ctx context.Context, std stdio, args []string) error {
	fs, dir := flags(std, "bill")
	var o report.Options
	o.Flags(fs, time.Now())
	document(fs, &o.Prices, "prices", "`FILE` with a price list of your own for a region")
	number(fs, &o.Minimum, "minimum", "`SECONDS` each task is charged at least, instead of the list's")
	number(fs, &o.Step, "step", "`SECONDS` to round times up to a multiple of, instead of 1")
	number(fs, &o.Decimals, "decimals", "`DIGITS` after the point of an amount of money, instead of 2")
	o.Export = len(args) > 0 && args[0] == "export"
	if o.Export {
		args = args[1:]
	}
	if err := parse(fs, args, 0); err != nil {
		return err
	}
	if err := o.Check(); err != nil {
		fmt.Fprintln(std.err, "neargate bill:", err)
		return errUsage
	}
	if o.Export {
		return exportBill(ctx, std, install.Dir(*dir), &o)
	}
	for first := true; ; first = false {
		body, err := askBill(ctx, install.Dir(*dir), "/bill", &o.Request)
		if err != nil {
			return err
		}
		r := new(report.Report)
		if err := errors.Join(json.NewDecoder(body).Decode(r), body.Close()); err != nil {
			return err
		}
		if o.Watch && !first && o.Format == "table" {
			fmt.Fprint(std.out, "\033[H\033[J")
		}
		if err := r.Print(std.out, o.Format); err != nil || !o.Watch {
			return err
		}
		if !pause.For(ctx, o.Every) {
			return nil
		}
	}
}

func askBill(ctx context.Context, dir install.Dir, path string, req *report.Request) (io.ReadCloser, error) {
	b, err := json.Marshal(req)
	if err != nil {
		return nil, err
	}
	return call(ctx, dir, http.MethodPost, path, bytes.NewReader(b))
}

// exportBill writes charges to a file, or prints them.
func exportBill(ctx context.Context, std stdio, dir install.Dir, o *report.Options) error {
	body, err := askBill(ctx, dir, "/bill/export?format="+url.QueryEscape(o.Format), &o.Request)
	if err != nil {
		return err
	}
	defer body.Close()
	if bucket, key, ok := o.Bucket(); ok {
		return saveInBucket(ctx, std, dir, bucket, key, body)
	}
	if o.Output == "" {
		_, err := io.Copy(std.out, body)
		return err
	}
	return save(std, o.Output, body)
}

// saveInBucket writes to a bucket of the installation, with the credentials of the
// environment, or else with the first account's root key.
func saveInBucket(ctx context.Context, std stdio, dir install.Dir, bucket, key string, body io.Reader) error {
	run, err := dir.Running()
	if err != nil {
		return err
	}
	with := sigv4.Credentials{AccessKeyID: os.Getenv("AWS_ACCESS_KEY_ID"), Secret: os.Getenv("AWS_SECRET_ACCESS_KEY"), Token: os.Getenv("AWS_SESSION_TOKEN")}
	if with.AccessKeyID == "" {
		root, err := dir.Root()
		if err != nil {
			return err
		}
		with = sigv4.Credentials{AccessKeyID: root.AccessKeyID, Secret: root.Secret}
	}
	to := upload.Bucket{HTTP: http.DefaultTransport, Endpoint: run.URL(), Name: bucket, Region: arn.DefaultRegion, With: with, Now: time.Now}
	if err := to.Put(ctx, key, "text/plain; charset=utf-8", body); err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.out, "s3://%s/%s\n", bucket, key)
	return err
}
