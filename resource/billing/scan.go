package billing

import "time"

// Scan says what of the usage is asked for, and in which detail.
type Scan struct {
	From, To time.Time
	Hours    bool   // by the hour; else by the day where From and To are at midnight
	Tags     bool   // with the tags of tasks; without, rows are fewer
	Account  string // "": of all
}

// WholeDays reports whether days are enough for what is asked.
func (s Scan) WholeDays() bool {
	const day = 24 * time.Hour
	return !s.Hours && s.From.Truncate(day).Equal(s.From) && s.To.Truncate(day).Equal(s.To)
}
