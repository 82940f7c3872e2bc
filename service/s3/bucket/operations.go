// Package bucket is what Amazon S3 does with buckets: it makes, configures, lists and
// deletes them, and lists what is in them.
package bucket

import (
	"encoding/xml"

	"neargate/service/s3/internal/call"
)

// Operations are those on buckets, and of the listing of what is in them, by method, level and subresource. What is made
// with refused, or not here, answers NotImplemented.
func Operations() map[string]call.Operation {
	return map[string]call.Operation{
		"GET service ":                    call.Op("ListBuckets", "s3:ListAllMyBuckets", listBuckets),
		"PUT bucket ":                     call.Op("CreateBucket", "", createBucket),
		"HEAD bucket ":                    call.Op("HeadBucket", "s3:ListBucket", headBucket),
		"DELETE bucket ":                  call.Op("DeleteBucket", "s3:DeleteBucket", deleteBucket),
		"GET bucket ":                     call.Op("ListObjects", "s3:ListBucket", listObjects),
		"GET bucket list-type":            call.Op("ListObjectsV2", "s3:ListBucket", listObjectsV2),
		"GET bucket versions":             call.Op("ListObjectVersions", "s3:ListBucketVersions", listObjectVersions),
		"GET bucket uploads":              call.Op("ListMultipartUploads", "s3:ListBucketMultipartUploads", listMultipartUploads),
		"GET bucket location":             call.Op("GetBucketLocation", "s3:GetBucketLocation", getBucketLocation),
		"GET bucket versioning":           call.Op("GetBucketVersioning", "s3:GetBucketVersioning", getBucketVersioning),
		"PUT bucket versioning":           call.Op("PutBucketVersioning", "s3:PutBucketVersioning", putBucketVersioning),
		"GET bucket tagging":              call.Op("GetBucketTagging", "s3:GetBucketTagging", getBucketTagging),
		"PUT bucket tagging":              call.Op("PutBucketTagging", "s3:PutBucketTagging", putBucketTagging),
		"DELETE bucket tagging":           call.Op("DeleteBucketTagging", "s3:PutBucketTagging", changed(204, dropTags)),
		"GET bucket policy":               call.Op("GetBucketPolicy", "s3:GetBucketPolicy", getBucketPolicy),
		"PUT bucket policy":               call.Op("PutBucketPolicy", "s3:PutBucketPolicy", putBucketPolicy),
		"DELETE bucket policy":            call.Op("DeleteBucketPolicy", "s3:DeleteBucketPolicy", changed(204, dropPolicy)),
		"GET bucket policyStatus":         call.Op("GetBucketPolicyStatus", "s3:GetBucketPolicyStatus", getBucketPolicyStatus),
		"GET bucket publicAccessBlock":    call.Op("GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock", getPublicAccessBlock),
		"PUT bucket publicAccessBlock":    call.Op("PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock", putPublicAccessBlock),
		"DELETE bucket publicAccessBlock": call.Op("DeletePublicAccessBlock", "s3:PutBucketPublicAccessBlock", changed(204, dropBlock)),
		"GET bucket ownershipControls":    call.Op("GetBucketOwnershipControls", "s3:GetBucketOwnershipControls", getBucketOwnershipControls),
		"PUT bucket ownershipControls":    call.Op("PutBucketOwnershipControls", "s3:PutBucketOwnershipControls", putBucketOwnershipControls),
		"DELETE bucket ownershipControls": call.Op("DeleteBucketOwnershipControls", "s3:PutBucketOwnershipControls", changed(204, dropOwnership)),
		"GET bucket acl":                  call.Op("GetBucketAcl", "s3:GetBucketAcl", call.ACL),
		"PUT bucket acl":                  call.Op("PutBucketAcl", "s3:PutBucketAcl", call.PutACL),
		"GET bucket cors":                 call.Op("GetBucketCors", "s3:GetBucketCORS", getBucketCORS),
		"PUT bucket cors":                 call.Op("PutBucketCors", "s3:PutBucketCORS", putBucketCORS),
		"DELETE bucket cors":              call.Op("DeleteBucketCors", "s3:PutBucketCORS", changed(204, dropCORS)),
		"GET bucket lifecycle":            call.Op("GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration", getLifecycle),
		"PUT bucket lifecycle":            call.Op("PutBucketLifecycleConfiguration", "s3:PutLifecycleConfiguration", putLifecycle),
		"DELETE bucket lifecycle":         call.Op("DeleteBucketLifecycle", "s3:PutLifecycleConfiguration", changed(204, dropLifecycle)),
		"GET bucket encryption":           call.Op("GetBucketEncryption", "s3:GetEncryptionConfiguration", getBucketEncryption),
		"PUT bucket encryption":           call.Op("PutBucketEncryption", "s3:PutEncryptionConfiguration", putBucketEncryption),
		"DELETE bucket encryption":        call.Op("DeleteBucketEncryption", "s3:PutEncryptionConfiguration", changed(204, dropEncryption)),
		"GET bucket requestPayment":       call.Op("GetBucketRequestPayment", "s3:GetBucketRequestPayment", same(requestPaymentDocument{Xmlns: call.Namespace, Payer: "BucketOwner"})),
		"PUT bucket requestPayment":       call.Op("PutBucketRequestPayment", "s3:PutBucketRequestPayment", putBucketRequestPayment),
		"GET bucket accelerate":           call.Op("GetBucketAccelerateConfiguration", "s3:GetAccelerateConfiguration", empty("AccelerateConfiguration")),
		"PUT bucket accelerate":           call.Op("PutBucketAccelerateConfiguration", "s3:PutAccelerateConfiguration", putNothing("AccelerateConfiguration", "Transfer acceleration")),
		"GET bucket logging":              call.Op("GetBucketLogging", "s3:GetBucketLogging", empty("BucketLoggingStatus")),
		"PUT bucket logging":              call.Op("PutBucketLogging", "s3:PutBucketLogging", putNothing("BucketLoggingStatus", "Server access logging")),
		"GET bucket notification":         call.Op("GetBucketNotificationConfiguration", "s3:GetBucketNotification", empty("NotificationConfiguration")),
		"PUT bucket notification":         call.Op("PutBucketNotificationConfiguration", "s3:PutBucketNotification", putNothing("NotificationConfiguration", "Event notification")),
		"GET bucket website":              call.Op("GetBucketWebsite", "s3:GetBucketWebsite", absent("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration")),
		"PUT bucket website":              call.Op("PutBucketWebsite", "s3:PutBucketWebsite", refused("Website hosting")),
		"DELETE bucket website":           call.Op("DeleteBucketWebsite", "s3:DeleteBucketWebsite", gone),
		"GET bucket replication":          call.Op("GetBucketReplication", "s3:GetReplicationConfiguration", absent("ReplicationConfigurationNotFoundError", "The replication configuration was not found")),
		"PUT bucket replication":          call.Op("PutBucketReplication", "s3:PutReplicationConfiguration", refused("Replication")),
		"DELETE bucket replication":       call.Op("DeleteBucketReplication", "s3:PutReplicationConfiguration", gone),
		"GET bucket object-lock":          call.Op("GetObjectLockConfiguration", "s3:GetBucketObjectLockConfiguration", absent("ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist for this bucket")),
		"PUT bucket object-lock":          call.Op("PutObjectLockConfiguration", "s3:PutBucketObjectLockConfiguration", refused("Object Lock")),
		"GET bucket analytics":            call.Op("ListBucketAnalyticsConfigurations", "s3:GetAnalyticsConfiguration", none("ListBucketAnalyticsConfigurationResult")),
		"PUT bucket analytics":            call.Op("PutBucketAnalyticsConfiguration", "s3:PutAnalyticsConfiguration", refused("Storage class analysis")),
		"GET bucket inventory":            call.Op("ListBucketInventoryConfigurations", "s3:GetInventoryConfiguration", none("ListInventoryConfigurationsResult")),
		"PUT bucket inventory":            call.Op("PutBucketInventoryConfiguration", "s3:PutInventoryConfiguration", refused("Inventory")),
		"GET bucket metrics":              call.Op("ListBucketMetricsConfigurations", "s3:GetMetricsConfiguration", none("ListMetricsConfigurationsResult")),
		"PUT bucket metrics":              call.Op("PutBucketMetricsConfiguration", "s3:PutMetricsConfiguration", refused("Request metrics")),
		"GET bucket intelligent-tiering":  call.Op("ListBucketIntelligentTieringConfigurations", "s3:GetIntelligentTieringConfiguration", none("ListBucketIntelligentTieringConfigurationsOutput")),
		"PUT bucket intelligent-tiering":  call.Op("PutBucketIntelligentTieringConfiguration", "s3:PutIntelligentTieringConfiguration", refused("Intelligent tiering")),
	}
}

func empty(root string) func(*request) error {
	return same(emptyDocument{XMLName: xml.Name{Local: root}, Xmlns: call.Namespace})
}

// none lists no configurations; one by its id is not there.
func none(root string) func(*request) error {
	type result struct {
		XMLName     call.XMLName
		Xmlns       string `xml:"xmlns,attr"`
		IsTruncated bool
	}
	return func(x *request) error {
		if x.Query.Has("id") {
			return call.Fail("NoSuchConfiguration", 404, "The specified configuration does not exist.")
		}
		return x.Write(result{XMLName: xml.Name{Local: root}, Xmlns: call.Namespace})
	}
}

type request = call.Request
