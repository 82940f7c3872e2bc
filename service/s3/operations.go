package s3

import "encoding/xml"

// operations are all there are, by method, level and subresource. What is named
// with refused, or not named, answers NotImplemented.
var operations = map[string]operation{
	"GET service ": {"ListBuckets", "s3:ListAllMyBuckets", listBuckets},

	"PUT bucket ":                     {"CreateBucket", "", createBucket},
	"HEAD bucket ":                    {"HeadBucket", "s3:ListBucket", headBucket},
	"DELETE bucket ":                  {"DeleteBucket", "s3:DeleteBucket", deleteBucket},
	"GET bucket ":                     {"ListObjects", "s3:ListBucket", listObjects},
	"GET bucket list-type":            {"ListObjectsV2", "s3:ListBucket", listObjectsV2},
	"GET bucket versions":             {"ListObjectVersions", "s3:ListBucketVersions", listObjectVersions},
	"GET bucket uploads":              {"ListMultipartUploads", "s3:ListBucketMultipartUploads", listMultipartUploads},
	"POST bucket delete":              {"DeleteObjects", "", deleteObjects},
	"GET bucket location":             {"GetBucketLocation", "s3:GetBucketLocation", getBucketLocation},
	"GET bucket versioning":           {"GetBucketVersioning", "s3:GetBucketVersioning", getBucketVersioning},
	"PUT bucket versioning":           {"PutBucketVersioning", "s3:PutBucketVersioning", putBucketVersioning},
	"GET bucket tagging":              {"GetBucketTagging", "s3:GetBucketTagging", getBucketTagging},
	"PUT bucket tagging":              {"PutBucketTagging", "s3:PutBucketTagging", putBucketTagging},
	"DELETE bucket tagging":           {"DeleteBucketTagging", "s3:PutBucketTagging", changed(204, dropTags)},
	"GET bucket policy":               {"GetBucketPolicy", "s3:GetBucketPolicy", getBucketPolicy},
	"PUT bucket policy":               {"PutBucketPolicy", "s3:PutBucketPolicy", putBucketPolicy},
	"DELETE bucket policy":            {"DeleteBucketPolicy", "s3:DeleteBucketPolicy", changed(204, dropPolicy)},
	"GET bucket policyStatus":         {"GetBucketPolicyStatus", "s3:GetBucketPolicyStatus", getBucketPolicyStatus},
	"GET bucket publicAccessBlock":    {"GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock", getPublicAccessBlock},
	"PUT bucket publicAccessBlock":    {"PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock", putPublicAccessBlock},
	"DELETE bucket publicAccessBlock": {"DeletePublicAccessBlock", "s3:PutBucketPublicAccessBlock", changed(204, dropBlock)},
	"GET bucket ownershipControls":    {"GetBucketOwnershipControls", "s3:GetBucketOwnershipControls", getBucketOwnershipControls},
	"PUT bucket ownershipControls":    {"PutBucketOwnershipControls", "s3:PutBucketOwnershipControls", putBucketOwnershipControls},
	"DELETE bucket ownershipControls": {"DeleteBucketOwnershipControls", "s3:PutBucketOwnershipControls", changed(204, dropOwnership)},
	"GET bucket acl":                  {"GetBucketAcl", "s3:GetBucketAcl", acl},
	"PUT bucket acl":                  {"PutBucketAcl", "s3:PutBucketAcl", putACL},
	"GET bucket cors":                 {"GetBucketCors", "s3:GetBucketCORS", getBucketCORS},
	"PUT bucket cors":                 {"PutBucketCors", "s3:PutBucketCORS", putBucketCORS},
	"DELETE bucket cors":              {"DeleteBucketCors", "s3:PutBucketCORS", changed(204, dropCORS)},
	"GET bucket lifecycle":            {"GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration", getLifecycle},
	"PUT bucket lifecycle":            {"PutBucketLifecycleConfiguration", "s3:PutLifecycleConfiguration", putLifecycle},
	"DELETE bucket lifecycle":         {"DeleteBucketLifecycle", "s3:PutLifecycleConfiguration", changed(204, dropLifecycle)},
	"GET bucket encryption":           {"GetBucketEncryption", "s3:GetEncryptionConfiguration", getBucketEncryption},
	"PUT bucket encryption":           {"PutBucketEncryption", "s3:PutEncryptionConfiguration", putBucketEncryption},
	"DELETE bucket encryption":        {"DeleteBucketEncryption", "s3:PutEncryptionConfiguration", changed(204, dropEncryption)},
	"GET bucket requestPayment":       {"GetBucketRequestPayment", "s3:GetBucketRequestPayment", same(requestPaymentDocument{Xmlns: namespace, Payer: "BucketOwner"})},
	"PUT bucket requestPayment":       {"PutBucketRequestPayment", "s3:PutBucketRequestPayment", putBucketRequestPayment},
	"GET bucket accelerate":           {"GetBucketAccelerateConfiguration", "s3:GetAccelerateConfiguration", empty("AccelerateConfiguration")},
	"PUT bucket accelerate":           {"PutBucketAccelerateConfiguration", "s3:PutAccelerateConfiguration", putNothing("AccelerateConfiguration", "Transfer acceleration")},
	"GET bucket logging":              {"GetBucketLogging", "s3:GetBucketLogging", empty("BucketLoggingStatus")},
	"PUT bucket logging":              {"PutBucketLogging", "s3:PutBucketLogging", putNothing("BucketLoggingStatus", "Server access logging")},
	"GET bucket notification":         {"GetBucketNotificationConfiguration", "s3:GetBucketNotification", empty("NotificationConfiguration")},
	"PUT bucket notification":         {"PutBucketNotificationConfiguration", "s3:PutBucketNotification", putNothing("NotificationConfiguration", "Event notification")},
	"GET bucket website":              {"GetBucketWebsite", "s3:GetBucketWebsite", absent("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration")},
	"PUT bucket website":              {"PutBucketWebsite", "s3:PutBucketWebsite", refused("Website hosting")},
	"DELETE bucket website":           {"DeleteBucketWebsite", "s3:DeleteBucketWebsite", gone},
	"GET bucket replication":          {"GetBucketReplication", "s3:GetReplicationConfiguration", absent("ReplicationConfigurationNotFoundError", "The replication configuration was not found")},
	"PUT bucket replication":          {"PutBucketReplication", "s3:PutReplicationConfiguration", refused("Replication")},
	"DELETE bucket replication":       {"DeleteBucketReplication", "s3:PutReplicationConfiguration", gone},
	"GET bucket object-lock":          {"GetObjectLockConfiguration", "s3:GetBucketObjectLockConfiguration", absent("ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist for this bucket")},
	"PUT bucket object-lock":          {"PutObjectLockConfiguration", "s3:PutBucketObjectLockConfiguration", refused("Object Lock")},
	"GET bucket analytics":            {"ListBucketAnalyticsConfigurations", "s3:GetAnalyticsConfiguration", none("ListBucketAnalyticsConfigurationResult")},
	"PUT bucket analytics":            {"PutBucketAnalyticsConfiguration", "s3:PutAnalyticsConfiguration", refused("Storage class analysis")},
	"GET bucket inventory":            {"ListBucketInventoryConfigurations", "s3:GetInventoryConfiguration", none("ListInventoryConfigurationsResult")},
	"PUT bucket inventory":            {"PutBucketInventoryConfiguration", "s3:PutInventoryConfiguration", refused("Inventory")},
	"GET bucket metrics":              {"ListBucketMetricsConfigurations", "s3:GetMetricsConfiguration", none("ListMetricsConfigurationsResult")},
	"PUT bucket metrics":              {"PutBucketMetricsConfiguration", "s3:PutMetricsConfiguration", refused("Request metrics")},
	"GET bucket intelligent-tiering":  {"ListBucketIntelligentTieringConfigurations", "s3:GetIntelligentTieringConfiguration", none("ListBucketIntelligentTieringConfigurationsOutput")},
	"PUT bucket intelligent-tiering":  {"PutBucketIntelligentTieringConfiguration", "s3:PutIntelligentTieringConfiguration", refused("Intelligent tiering")},

	"GET object ":             {"GetObject", "s3:GetObject", getObject},
	"HEAD object ":            {"HeadObject", "s3:GetObject", getObject},
	"PUT object ":             {"PutObject", "s3:PutObject", putObject},
	"PUT object copy":         {"CopyObject", "", copyObject},
	"DELETE object ":          {"DeleteObject", "s3:DeleteObject", deleteObject},
	"GET object attributes":   {"GetObjectAttributes", "s3:GetObject", getObjectAttributes},
	"GET object tagging":      {"GetObjectTagging", "s3:GetObjectTagging", getObjectTagging},
	"PUT object tagging":      {"PutObjectTagging", "s3:PutObjectTagging", putObjectTagging},
	"DELETE object tagging":   {"DeleteObjectTagging", "s3:DeleteObjectTagging", deleteObjectTagging},
	"GET object acl":          {"GetObjectAcl", "s3:GetObjectAcl", getObjectACL},
	"PUT object acl":          {"PutObjectAcl", "s3:PutObjectAcl", putACL},
	"GET object retention":    {"GetObjectRetention", "s3:GetObjectRetention", noLock},
	"GET object legal-hold":   {"GetObjectLegalHold", "s3:GetObjectLegalHold", noLock},
	"POST object uploads":     {"CreateMultipartUpload", "s3:PutObject", createMultipartUpload},
	"PUT object uploadId":     {"UploadPart", "s3:PutObject", uploadPart},
	"PUT object uploadIdcopy": {"UploadPartCopy", "", uploadPartCopy},
	"POST object uploadId":    {"CompleteMultipartUpload", "s3:PutObject", completeMultipartUpload},
	"DELETE object uploadId":  {"AbortMultipartUpload", "s3:AbortMultipartUpload", abortMultipartUpload},
	"GET object uploadId":     {"ListParts", "s3:ListMultipartUploadParts", listParts},
}

func empty(root string) func(*request) error {
	return same(emptyDocument{XMLName: xml.Name{Local: root}, Xmlns: namespace})
}

// none lists no configurations; one by its id is not there.
func none(root string) func(*request) error {
	type result struct {
		XMLName     xmlName
		Xmlns       string `xml:"xmlns,attr"`
		IsTruncated bool
	}
	return func(x *request) error {
		if x.query.Has("id") {
			return fail("NoSuchConfiguration", 404, "The specified configuration does not exist.")
		}
		return x.write(result{XMLName: xml.Name{Local: root}, Xmlns: namespace})
	}
}

func noLock(x *request) error {
	return fail("InvalidRequest", 400, "Bucket is missing Object Lock Configuration")
}
