// Command caller is what containers of the stories run to find AWS as an SDK does
// that nobody has told anything:
//
//	caller          says who AWS takes it for
//	caller -for 20s the same, within a time that it takes instead of the SDK's own
//
// It prints the ARN, or what went wrong, and then waits to be stopped.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func main() {
	within := flag.Duration("for", time.Minute, "how long to try")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), *within)
	defer cancel()
	fmt.Println(identity(ctx))
	stop, end := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer end()
	<-stop.Done()
}

func identity(ctx context.Context) string {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return "config: " + err.Error()
	}
	out, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "error: " + err.Error()
	}
	return "arn: " + aws.ToString(out.Arn)
}
