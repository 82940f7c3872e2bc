package report

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"neargate/resource/billing/costs"
)

// Options are what a user asks for on a command line.
type Options struct {
	Request
	Format string
	Watch  bool
	Every  time.Duration
	Export bool   // charges one by one, in the FinOps Open Cost and Usage Specification
	Output string // file to export to, or s3://BUCKET/PREFIX; "": standard output

	now                    time.Time
	from, to, month, daily string
}

// Flags defines the flags of the options; now is what times not said follow from.
func (o *Options) Flags(fs *flag.FlagSet, now time.Time) {
	o.now = now.UTC()
	fs.StringVar(&o.from, "from", "", "first `DAY` or hour, e.g. 2026-10-01 or 2026-10-01T09; the first of this month unless said")
	fs.StringVar(&o.to, "to", "", "`DAY` or hour before which it ends; one month after --from unless said")
	fs.StringVar(&o.month, "month", "", "`MONTH`, e.g. 2026-10, instead of --from and --to")
	fs.StringVar(&o.daily, "day", "", "`DAY`, e.g. 2026-10-01, instead of --from and --to")
	fs.Func("group-by", "account, region, cluster, service, task-definition, usage-type or tag:`KEY`; several with commas", func(s string) error {
		for name := range strings.SplitSeq(s, ",") {
			if _, err := costs.By(name); err != nil {
				return err
			}
			o.GroupBy = append(o.GroupBy, name)
		}
		return nil
	})
	fs.Func("by", "a row for each `STEP`: hour, day or month", func(s string) error {
		step, ok := map[string]costs.Step{"hour": costs.Hourly, "day": costs.Daily, "month": costs.Monthly}[s]
		if !ok {
			return errors.New("hour, day or month is wanted")
		}
		o.By = step
		return nil
	})
	fs.StringVar(&o.Account, "account", "", "only this `ACCOUNT`")
	fs.BoolVar(&o.Running, "running", false, "the tasks that run now, and what each has cost so far")
	fs.StringVar(&o.Format, "format", "", "table (unless said), csv or json; of an export csv (unless said) or jsonl")
	fs.StringVar(&o.Output, "output", "", "`FILE` to export to, or s3://BUCKET/PREFIX, instead of standard output")
	fs.BoolVar(&o.Watch, "watch", false, "print it again and again until interrupted")
	fs.DurationVar(&o.Every, "every", 2*time.Second, "how `LONG` to wait between two prints of --watch")
	fs.StringVar(&o.Discount, "discount", "", "`PERCENT` off vCPU and memory on demand, as with a savings plan")
	fs.StringVar(&o.Currency, "currency", "", "`CODE` of the currency to show amounts in; needs --rate")
	fs.StringVar(&o.Rate, "rate", "", "how much of --currency one unit of the list's is")
}

// Check completes the request from what was parsed.
func (o *Options) Check() error {
	formats := []string{"table", "csv", "json"}
	if o.Export {
		formats = []string{"csv", "jsonl"}
	}
	if o.Format == "" {
		o.Format = formats[0]
	}
	switch {
	case !slices.Contains(formats, o.Format):
		return fmt.Errorf("--format is one of %s, not %q", strings.Join(formats, ", "), o.Format)
	case o.Output != "" && !o.Export:
		return errors.New("--output is for exports")
	case o.bucketless():
		return errors.New("--output: s3://BUCKET/PREFIX is wanted")
	case o.Export && o.Watch:
		return errors.New("--watch is not for exports")
	case o.Watch && o.Every < 100*time.Millisecond:
		return errors.New("--every is at least 100ms")
	case o.month != "" && o.daily != "", (o.month != "" || o.daily != "") && (o.from != "" || o.to != ""):
		return errors.New("one of --month, --day, and --from with --to is wanted")
	case o.Running && (o.month != "" || o.daily != "" || o.from != "" || o.to != "" || o.By != "" || len(o.GroupBy) > 0):
		return errors.New("--running is of now, task by task: without a time, --by and --group-by")
	}
	return o.period()
}

// Bucket is the bucket that is exported to, if one is, and the key of the charges
// there: the prefix, and their days.
func (o *Options) Bucket() (bucket, key string, ok bool) {
	rest, ok := strings.CutPrefix(o.Output, "s3://")
	if !ok {
		return "", "", false
	}
	bucket, key, _ = strings.Cut(rest, "/")
	if key != "" && !strings.HasSuffix(key, "/") {
		key += "/"
	}
	return bucket, key + "charges-" + o.From.Format(time.DateOnly) + "-" + o.To.Format(time.DateOnly) + "." + o.Format, true
}

func (o *Options) bucketless() bool {
	bucket, _, ok := o.Bucket()
	return ok && bucket == ""
}

func (o *Options) period() (err error) {
	if o.month != "" {
		o.From, err = time.Parse("2006-01", o.month)
		o.To = o.From.AddDate(0, 1, 0)
		return wrong("--month", o.month, err)
	}
	if o.daily != "" {
		o.From, err = time.Parse(time.DateOnly, o.daily)
		o.To = o.From.AddDate(0, 0, 1)
		return wrong("--day", o.daily, err)
	}
	o.From = time.Date(o.now.Year(), o.now.Month(), 1, 0, 0, 0, 0, time.UTC)
	if o.from != "" {
		if o.From, err = moment(o.from); err != nil {
			return wrong("--from", o.from, err)
		}
	}
	o.To = o.From.AddDate(0, 1, 0)
	if o.to != "" {
		if o.To, err = moment(o.to); err != nil {
			return wrong("--to", o.to, err)
		}
	}
	if !o.From.Before(o.To) {
		return errors.New("--to is not after --from")
	}
	return nil
}

func moment(s string) (time.Time, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return time.Parse("2006-01-02T15", s)
	}
	return t, nil
}

func wrong(name, value string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %q is no time such as 2026-10-01", name, value)
}
