package logs

import "time"

// Statuses of exports.
const (
	ExportPending   = "PENDING"
	ExportRunning   = "RUNNING"
	ExportCompleted = "COMPLETED"
	ExportFailed    = "FAILED"
	ExportCancelled = "CANCELLED"
)

// Export is a task that writes log events to a bucket.
type Export struct {
	Account, Region, ID string
	Name                string `json:",omitempty"`
	Group               string
	StreamPrefix        string `json:",omitempty"`
	From, To            int64  // milliseconds
	Bucket, Prefix      string
	Status              string
	Message             string    `json:",omitempty"`
	CreatedAt           time.Time // by which exports are done in order
	CompletedAt         time.Time `json:",omitzero"`
}

// Active reports whether the export is still to be done.
func (e *Export) Active() bool { return e.Status == ExportPending || e.Status == ExportRunning }
