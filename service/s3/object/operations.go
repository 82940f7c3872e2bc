// Package object is what Amazon S3 does with objects.
package object

import "neargate/service/s3/internal/call"

// Operations are those on objects, by method, level and subresource. What is made
// with refused, or not here, answers NotImplemented.
func Operations() map[string]call.Operation {
	return map[string]call.Operation{
		"POST bucket delete":    call.Op("DeleteObjects", "", deleteObjects),
		"GET object ":           call.Op("GetObject", "s3:GetObject", getObject),
		"HEAD object ":          call.Op("HeadObject", "s3:GetObject", getObject),
		"PUT object ":           call.Op("PutObject", "s3:PutObject", putObject),
		"PUT object copy":       call.Op("CopyObject", "", copyObject),
		"DELETE object ":        call.Op("DeleteObject", "s3:DeleteObject", deleteObject),
		"GET object attributes": call.Op("GetObjectAttributes", "s3:GetObject", getObjectAttributes),
		"GET object tagging":    call.Op("GetObjectTagging", "s3:GetObjectTagging", getObjectTagging),
		"PUT object tagging":    call.Op("PutObjectTagging", "s3:PutObjectTagging", putObjectTagging),
		"DELETE object tagging": call.Op("DeleteObjectTagging", "s3:DeleteObjectTagging", deleteObjectTagging),
		"GET object acl":        call.Op("GetObjectAcl", "s3:GetObjectAcl", getObjectACL),
		"PUT object acl":        call.Op("PutObjectAcl", "s3:PutObjectAcl", call.PutACL),
		"GET object retention":  call.Op("GetObjectRetention", "s3:GetObjectRetention", noLock),
		"GET object legal-hold": call.Op("GetObjectLegalHold", "s3:GetObjectLegalHold", noLock),
	}
}

func noLock(x *request) error {
	return call.Fail("InvalidRequest", 400, "Bucket is missing Object Lock Configuration")
}

type request = call.Request
