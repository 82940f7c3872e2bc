package cloudtrail

import (
	"fmt"
	"testing"
	"time"

	api "neargate/aws/cloudtrail"
	"neargate/resource/trail"
	"neargate/store"
	tables "neargate/store/tables/trails"
)

func TestListPublicKeys(t *testing.T) {
	w := newWorld(t)
	day := func(n int) time.Time { return start.Add(time.Duration(n) * 24 * time.Hour) }
	err := w.store.Update(t.Context(), func(tx store.Tx) error {
		for _, k := range []trail.Key{
			{Region: "us-east-1", Fingerprint: "a", Public: []byte("A"), Sealed: []byte("secret"), From: day(-20), Until: day(-10)},
			{Region: "us-east-1", Fingerprint: "b", Public: []byte("B"), From: day(-11), Until: day(1)},
			{Region: "eu-west-1", Fingerprint: "c", Public: []byte("C"), From: day(-20), Until: day(20)},
		} {
			if err := tables.Keys.Put(tx, &k); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		region   string
		from, to *time.Time
		want     string
	}{
		{"us-east-1", nil, nil, "[bB]"},
		{"eu-west-1", nil, nil, "[cC]"},
		{"ap-south-1", nil, nil, "[]"},
		{"us-east-1", new(day(-11)), nil, "[aA bB]"},
		{"us-east-1", new(day(-15)), new(day(-12)), "[aA]"},
		{"us-east-1", new(day(-30)), new(day(-21)), "[]"},
		{"us-east-1", new(day(-1)), new(day(2)), "[bB]"},
	} {
		out, err := w.ListPublicKeys(in(t, tt.region), &api.ListPublicKeysInput{StartTime: tt.from, EndTime: tt.to})
		if err != nil {
			t.Fatal(err)
		}
		got := []string{}
		for _, k := range out.PublicKeyList {
			got = append(got, *k.Fingerprint+string(k.Value))
			if !k.ValidityStartTime.Before(*k.ValidityEndTime) {
				t.Errorf("%+v", k)
			}
		}
		if fmt.Sprint(got) != tt.want {
			t.Errorf("%s from %v to %v: %v, want %s", tt.region, tt.from, tt.to, got, tt.want)
		}
	}
}

// TestValidation switches digest files on and off; a deleted trail leaves no state of them.
func TestValidation(t *testing.T) {
	w := newWorld(t)
	ctx := in(t, "us-east-1")
	if out, err := w.CreateTrail(ctx, &api.CreateTrailInput{Name: new("main"), S3BucketName: new("good"), EnableLogFileValidation: new(true)}); err != nil || !*out.LogFileValidationEnabled {
		t.Fatalf("%+v, %v", out, err)
	}
	for _, tt := range []struct{ asked, want *bool }{{nil, new(true)}, {new(false), new(false)}, {nil, new(false)}, {new(true), new(true)}} {
		if out, err := w.UpdateTrail(ctx, &api.UpdateTrailInput{Name: new("main"), EnableLogFileValidation: tt.asked}); err != nil || *out.LogFileValidationEnabled != *tt.want {
			t.Errorf("%+v, %v", out, err)
		}
	}
	err := w.store.Update(t.Context(), func(tx store.Tx) error {
		for _, name := range []string{"main", "main2"} {
			c := trail.Chain{Account: "123456789012", Home: "us-east-1", Name: name, Region: "eu-west-1"}
			if err := tables.Chains.Put(tx, &c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.DeleteTrail(ctx, &api.DeleteTrailInput{Name: new("main")}); err != nil {
		t.Fatal(err)
	}
	var left []trail.Chain
	err = w.store.View(t.Context(), func(tx store.Tx) (err error) {
		left, err = store.Collect(tables.Chains.List(tx))
		return err
	})
	if err != nil || len(left) != 1 || left[0].Name != "main2" {
		t.Errorf("%+v, %v", left, err)
	}
}
