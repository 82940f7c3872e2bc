package logs

import "time"

// MetricFilter makes points of a metric of the log events of a group that match
// a pattern.
type MetricFilter struct {
	Account, Region, Group, Name string
	Pattern                      string
	CreatedAt                    time.Time
	Metric                       MetricTransformation
}

// MetricTransformation says which points a metric filter makes.
type MetricTransformation struct {
	Namespace, Name string
	Value           string   // a number, or the name of a field in the event
	Default         *float64 `json:",omitempty"` // for a minute in which no event matches
	Unit            string   `json:",omitempty"`
	// Dimensions are names of fields in the event by names of dimensions.
	Dimensions map[string]string `json:",omitempty"`
}

// MetricPoint is a value of a metric at a time, in milliseconds since 1970.
type MetricPoint struct {
	Account, Region, Namespace, Name, Unit string
	Dimensions                             map[string]string
	Time                                   int64
	Value                                  float64
}

// QueryDefinition is a saved Logs Insights query.
type QueryDefinition struct {
	Account, Region, ID string
	Name, Query         string
	Groups              []string         `json:",omitempty"`
	Parameters          []QueryParameter `json:",omitempty"`
	ModifiedAt          time.Time
}

// QueryParameter is what may be filled into a saved query.
type QueryParameter struct {
	Name                 string
	Default, Description *string `json:",omitempty"`
}
