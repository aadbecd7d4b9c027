// Package duration reads and writes spans of time as people write them: 2w, 1h30m, -45s.
package duration

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// ErrSyntax is what is wrong with a text that is no duration; ErrRange where it is one that is too long.
var (
	ErrSyntax = errors.New("not a duration")
	ErrRange  = errors.New("duration out of range")
)

type unit struct {
	letter byte
	length time.Duration
}

// From the longest to the shortest, as they must be written.
var units = []unit{{'w', 7 * 24 * time.Hour}, {'d', 24 * time.Hour}, {'h', time.Hour}, {'m', time.Minute}, {'s', time.Second}}

// Parse reads a duration: whole numbers, each with its unit, from the longest unit to the shortest, each at most once.
// A dash in front makes it negative. Errors wrap ErrSyntax or ErrRange.
func Parse(text string) (time.Duration, error) {
	rest := strings.TrimPrefix(text, "-")
	negative := rest != text
	var total time.Duration
	if rest == "" {
		return 0, fmt.Errorf("%w: %q", ErrSyntax, text)
	}
	next := 0
	for rest != "" {
		digits := 0
		for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
			digits++
		}
		if digits == 0 || digits == len(rest) {
			return 0, fmt.Errorf("%w: %q", ErrSyntax, text)
		}
		at := next
		for at < len(units) && units[at].letter != rest[digits] {
			at++
		}
		if at == len(units) {
			return 0, fmt.Errorf("%w: %q", ErrSyntax, text)
		}
		count := time.Duration(0)
		for _, digit := range []byte(rest[:digits]) {
			if count > (math.MaxInt64-9)/10 {
				return 0, fmt.Errorf("%w: %q", ErrRange, text)
			}
			count = count*10 + time.Duration(digit-'0')
		}
		if count > (math.MaxInt64-total)/units[at].length {
			return 0, fmt.Errorf("%w: %q", ErrRange, text)
		}
		total += count * units[at].length
		next = at + 1
		rest = rest[digits+1:]
	}
	if negative {
		return -total, nil
	}
	return total, nil
}

// Format writes a duration as Parse reads it, in as few units as can be; parts of a second are left out.
func Format(d time.Duration) string {
	// The shortest duration has no positive counterpart of its own type.
	rest := uint64(d)
	if d < 0 {
		rest = -rest
	}
	var text strings.Builder
	for _, unit := range units {
		length := uint64(unit.length)
		if count := rest / length; count > 0 {
			fmt.Fprintf(&text, "%d%c", count, unit.letter)
			rest %= length
		}
	}
	switch {
	case text.Len() == 0:
		return "0s"
	}
	return text.String()
}
