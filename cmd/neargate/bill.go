package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"neargate/billing/book"
	"neargate/billing/ledger"
	"neargate/billing/report"
	"neargate/internal/install"
	"neargate/resource/billing"
)

// openUsage opens what tasks have used.
func (d *daemon) openUsage() error {
	l, err := ledger.Open(ledger.Config{Dir: d.dir.Ledger(), Log: d.log})
	if err != nil {
		return err
	}
	d.usage = &book.Book{Store: d.store, Ledger: l, Terms: billing.DefaultTerms(), Now: time.Now}
	return nil
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

// billCommand prints what tasks have cost.
func billCommand(ctx context.Context, std stdio, args []string) error {
	fs, dir := flags(std, "bill")
	var o report.Options
	o.Flags(fs, time.Now())
	document(fs, &o.Prices, "prices", "`FILE` with a price list of your own for a region")
	number(fs, &o.Minimum, "minimum", "`SECONDS` each task is charged at least, instead of the list's")
	number(fs, &o.Step, "step", "`SECONDS` to round times up to a multiple of, instead of 1")
	number(fs, &o.Decimals, "decimals", "`DIGITS` after the point of an amount of money, instead of 2")
	if err := parse(fs, args, 0); err != nil {
		return err
	}
	if err := o.Check(); err != nil {
		fmt.Fprintln(std.err, "neargate bill:", err)
		return errUsage
	}
	for first := true; ; first = false {
		r, err := askBill(ctx, install.Dir(*dir), &o.Request)
		if err != nil {
			return err
		}
		if o.Watch && !first && o.Format == "table" {
			fmt.Fprint(std.out, "\033[H\033[J")
		}
		if err := r.Print(std.out, o.Format); err != nil || !o.Watch {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(o.Every):
		}
	}
}

func askBill(ctx context.Context, dir install.Dir, req *report.Request) (*report.Report, error) {
	b, err := json.Marshal(req)
	if err != nil {
		return nil, err
	}
	body, err := call(ctx, dir, http.MethodPost, "/bill", bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	defer body.Close()
	r := new(report.Report)
	return r, json.NewDecoder(body).Decode(r)
}
