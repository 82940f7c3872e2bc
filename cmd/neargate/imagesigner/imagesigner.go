// Package imagesigner signs the images that Amazon ECR was asked to sign: it has AWS
// Signer sign each in the name of who pushed it, through the same gate as any customer.
package imagesigner

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"neargate/arn"
	"neargate/auth"
	awssigner "neargate/aws/signer"
	"neargate/internal/pause"
	"neargate/resource/image"
	"neargate/resource/image/notary"
	"neargate/resource/signing"
	"neargate/service/ecr/images"
	"neargate/store"
	"neargate/store/tables/repositories"
	"neargate/wire"
	"neargate/wire/shape"
)

// Signer is AWS Signer, as far as images are signed with it.
type Signer interface {
	SignPayload(context.Context, *awssigner.SignPayloadInput) (*awssigner.SignPayloadOutput, error)
}

// Worker signs images. What is to be signed is in the store until it is, or until it is
// known why not, so that whatever is interrupted goes on.
type Worker struct {
	Store   store.Store
	Gate    wire.Gate
	Signer  Signer
	Images  *images.Service
	Observe func(wire.Call) // told of each call of AWS Signer
	Now     func() time.Time
	IDs     *arn.Source
	Log     *slog.Logger
}

const (
	// batch is how many signings are read at a time.
	batch = 100
	// again is how long to wait after a failure, atMost after many.
	again, atMost = 5 * time.Second, 5 * time.Minute
)

// Run signs images as they are pushed, until ctx ends.
func (w *Worker) Run(ctx context.Context) error {
	for delay := again; ctx.Err() == nil; {
		rev, err := w.Sign(ctx)
		if err != nil && ctx.Err() == nil {
			w.Log.Error("images could not be signed; it is tried again", "error", err)
			pause.For(ctx, delay)
			delay = min(2*delay, atMost)
			continue
		}
		delay = again
		for e, err := range w.Store.Watch(ctx, rev, store.Prefix(repositories.SigningsInProgress)) {
			if err != nil || e.Val != nil {
				break
			}
		}
	}
	return nil
}

// Sign does, once each, the signings there are at the revision that it returns. One that
// cannot be done now keeps none of the others from it.
func (w *Worker) Sign(ctx context.Context) (rev store.Rev, err error) {
	after := ""
	for {
		var page []image.Signing
		failed := w.Store.View(ctx, func(tx store.Tx) (err error) {
			if after == "" {
				rev = tx.Rev()
			}
			page, err = store.Collect(repositories.Signings.ByPage(tx, repositories.SigningsInProgress, nil, after, batch))
			return err
		})
		if failed != nil || len(page) == 0 {
			return rev, errors.Join(err, failed)
		}
		for i := range page {
			err = errors.Join(err, w.sign(ctx, &page[i]))
		}
		after = repositories.Signings.IndexKey(repositories.SigningsInProgress, &page[len(page)-1])
	}
}

// sign signs an image, or notes why AWS Signer does not.
func (w *Worker) sign(ctx context.Context, g *image.Signing) error {
	i, ok, err := w.Images.ToSign(ctx, g)
	if err != nil || !ok {
		return err
	}
	out, err := w.ask(ctx, g, &i)
	refused, is := errors.AsType[*shape.Error](err)
	switch {
	case is && refused.Status < http.StatusInternalServerError:
		return w.Images.NotSigned(ctx, g, refused.Code, refused.Message)
	case err != nil:
		return err
	}
	return w.Images.Signed(ctx, g, out.Signature, out.Metadata)
}

// ask has AWS Signer sign an image.
func (w *Worker) ask(ctx context.Context, g *image.Signing, i *image.Image) (out *awssigner.SignPayloadOutput, err error) {
	owner, region, name, _, _ := signing.ParseProfile(g.Profile)
	payload, err := notary.Payload(i)
	if err != nil {
		return nil, err
	}
	in := &awssigner.SignPayloadInput{
		ProfileName: &name, ProfileOwner: &owner, Payload: payload, PayloadFormat: new(notary.PayloadType),
	}
	var c auth.Caller
	err = w.Store.View(ctx, func(tx store.Tx) (err error) {
		c, err = images.Pusher(tx, g)
		return err
	})
	if errors.Is(err, auth.ErrUnknownKey) || errors.Is(err, auth.ErrInactiveKey) {
		return nil, awssigner.AccessDeniedException("The identity that pushed the image can no longer be used.")
	}
	if err != nil {
		return nil, err
	}
	r := wire.Request{
		ID: w.IDs.UUID(), Service: "signer", Operation: "SignPayload", Region: region, Account: c.Account, AccessKeyID: c.AccessKeyID,
		Principal: c, Input: in, SourceIP: c.SourceIP, UserAgent: c.By, Secure: true, Time: w.Now(),
	}
	called, err := w.Gate.Admit(ctx, r)
	if err == nil {
		out, err = w.Signer.SignPayload(called, in)
	}
	w.observe(&r, out, err)
	return out, err
}

// observe tells of a call.
func (w *Worker) observe(r *wire.Request, out *awssigner.SignPayloadOutput, err error) {
	k := wire.Call{
		ID: r.ID, Service: r.Service, Operation: r.Operation, Region: r.Region, Account: r.Account, AccessKeyID: r.AccessKeyID,
		SourceIP: r.UserAgent, UserAgent: r.UserAgent, Status: http.StatusOK, Start: r.Time, Duration: w.Now().Sub(r.Time),
		Principal: r.Principal, Input: r.Input,
	}
	refused, is := errors.AsType[*shape.Error](err)
	switch {
	case is:
		k.Status, k.Code, k.Message = refused.Status, refused.Code, refused.Message
	case err != nil:
		k.Status, k.Code, k.Err = http.StatusInternalServerError, "InternalServiceErrorException", err
	default:
		k.Output = out
	}
	w.Observe(k)
}
