package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"neargate/billing/estimate"
)

// estimateCommand prices what a task definition, a template or a size would cost.
// It asks no daemon.
func estimateCommand(_ context.Context, std stdio, args []string) error {
	r := estimate.Request{Parameters: map[string]string{}}
	fs := flag.NewFlagSet("neargate estimate", flag.ContinueOnError)
	fs.SetOutput(std.err)
	fs.StringVar(&r.CPU, "cpu", "", "`vCPU` of a task, e.g. .25")
	fs.StringVar(&r.Memory, "memory", "", "`GB` of memory of a task")
	fs.IntVar(&r.StorageGiB, "storage", 0, "`GB` of ephemeral storage of a task; 20 cost nothing")
	fs.StringVar(&r.Architecture, "arch", "", "x86_64 or arm64")
	fs.StringVar(&r.OS, "os", "", "linux or windows")
	fs.BoolVar(&r.Spot, "spot", false, "at Fargate Spot's price")
	fs.Int64Var(&r.Tasks, "tasks", 0, "how many tasks there are; 1 unless said")
	fs.Int64Var(&r.Seconds, "seconds", 0, "how long each runs a day; all day unless said")
	fs.Int64Var(&r.Days, "days", 0, "days to add up; 1 where --seconds is said")
	fs.StringVar(&r.Region, "region", "", "whose prices; "+regionVariable+" or that of --prices unless said")
	fs.BoolVar(&r.Page, "page", false, "prices by the second as AWS's page prints them, with which its examples come out (us-east-1)")
	fs.StringVar(&r.Discount, "discount", "", "`PERCENT` off vCPU and memory on demand, as with a savings plan")
	fs.StringVar(&r.Currency, "currency", "", "`CODE` of the currency to show amounts in; needs --rate")
	fs.StringVar(&r.Rate, "rate", "", "how much of --currency one unit of the list's is")
	number(fs, &r.Minimum, "minimum", "`SECONDS` each task is charged at least, instead of the list's")
	number(fs, &r.Step, "step", "`SECONDS` to round times up to a multiple of, instead of 1")
	number(fs, &r.Decimals, "decimals", "`DIGITS` after the point of an amount of money, instead of 2")
	document(fs, &r.Definition, "task-definition", "`FILE` with a task definition as JSON")
	document(fs, &r.Template, "template", "`FILE` with a CloudFormation template")
	document(fs, &r.Prices, "prices", "`FILE` with a price list of your own")
	fs.Func("parameter", "`KEY=VALUE` of a parameter of the template; can be repeated", func(s string) error {
		key, value, ok := strings.Cut(s, "=")
		if !ok || key == "" {
			return fmt.Errorf("KEY=VALUE is wanted")
		}
		r.Parameters[key] = value
		return nil
	})
	output := fs.String("output", "table", "table or json")
	at := time.Now()
	fs.Func("on", "`DAY` whose prices are used, e.g. 2026-10-01; today unless said", func(s string) (err error) {
		at, err = time.Parse(time.DateOnly, s)
		return err
	})
	if err := parse(fs, args, 0); err != nil {
		return err
	}
	if *output != "table" && *output != "json" {
		fmt.Fprintf(std.err, "neargate estimate: --output is table or json, not %q\n", *output)
		return errUsage
	}
	if r.Region == "" && r.Prices == nil && !r.Page {
		r.Region = os.Getenv(regionVariable)
	}
	if r.Seconds > 0 && r.Days == 0 {
		r.Days = 1
	}
	e, err := r.Estimate(at)
	if err != nil {
		return err
	}
	if *output == "json" {
		enc := json.NewEncoder(std.out)
		enc.SetIndent("", "  ")
		return enc.Encode(e)
	}
	return e.Table(std.out)
}

// regionVariable is where the AWS CLI and SDKs read the region.
const regionVariable = "AWS_REGION"

// number is a flag that may be left out.
func number(fs *flag.FlagSet, to **int64, name, usage string) {
	fs.Func(name, usage, func(s string) error {
		n, err := strconv.ParseInt(s, 10, 32)
		*to = &n
		return err
	})
}

// document is a flag that names a file to read.
func document(fs *flag.FlagSet, to *[]byte, name, usage string) {
	fs.Func(name, usage, func(path string) (err error) {
		*to, err = os.ReadFile(path)
		return err
	})
}
