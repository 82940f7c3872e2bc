// Package upload is what Amazon S3 does to put objects together from parts.
package upload

import "neargate/service/s3/internal/call"

// Operations are those of uploads in parts, by method, level and subresource. What is made
// with refused, or not here, answers NotImplemented.
func Operations() map[string]call.Operation {
	return map[string]call.Operation{
		"POST object uploads":     call.Op("CreateMultipartUpload", "s3:PutObject", createMultipartUpload),
		"PUT object uploadId":     call.Op("UploadPart", "s3:PutObject", uploadPart),
		"PUT object uploadIdcopy": call.Op("UploadPartCopy", "", uploadPartCopy),
		"POST object uploadId":    call.Op("CompleteMultipartUpload", "s3:PutObject", completeMultipartUpload),
		"DELETE object uploadId":  call.Op("AbortMultipartUpload", "s3:AbortMultipartUpload", abortMultipartUpload),
		"GET object uploadId":     call.Op("ListParts", "s3:ListMultipartUploadParts", listParts),
	}
}

type request = call.Request
