// Package buckets names the key spaces of Amazon S3's buckets.
package buckets

import (
	"neargate/resource/objects"
	"neargate/store"
)

// ByAccount indexes buckets by account.
const ByAccount = "s3/bucket@account"

// Buckets keeps buckets by name, which is unique in the installation.
var Buckets = store.Table[objects.Bucket]{
	Name: "s3/bucket",
	Key:  func(b *objects.Bucket) []string { return []string{b.Name} },
	Indexes: []store.Index[objects.Bucket]{
		{Name: ByAccount, Keys: func(b *objects.Bucket) [][]string { return [][]string{{b.Account}} }},
	},
}
