package filter

import (
	"strings"
	"time"
)

// Layouts of a time of day and of a zone; Go accepts a fraction after the seconds by itself.
var (
	clockLayouts = []string{"15:04:05", "15:04"}
	zoneLayouts  = []string{"Z07:00", "Z0700", "Z07", ""}
)

// ParseTime reads a date string into microseconds since 1970 UTC: RFC 3339, also with an offset
// without colon, a space for the T, without zone (UTC), without seconds, or a date alone.
func ParseTime(s string) (int64, bool) {
	if len(s) < len("2006-01-02") || len(s) > 40 || s[0] < '0' || s[0] > '9' {
		return 0, false
	}
	date, clock := s[:10], s[10:]
	day, err := time.Parse("2006-01-02", date)
	if err != nil {
		return 0, false
	}
	if clock == "" {
		return day.UnixMicro(), true
	}
	if !strings.ContainsRune("Tt ", rune(clock[0])) || strings.ContainsRune(clock, ',') {
		return 0, false
	}
	text := date + "T" + strings.ToUpper(strings.Replace(clock[1:], " ", "", 1))
	for _, c := range clockLayouts {
		for _, z := range zoneLayouts {
			if t, err := time.Parse("2006-01-02T"+c+z, text); err == nil {
				return t.UnixMicro(), true
			}
		}
	}
	return 0, false
}
