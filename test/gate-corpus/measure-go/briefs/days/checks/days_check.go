package duration

import (
	"errors"
	"math"
	"testing"
	"time"
)

const plannerDay = 24 * time.Hour

func TestUnits(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"2w":         14 * plannerDay,
		"30d":        30 * plannerDay,
		"2w3d4h5m6s": 17*plannerDay + 4*time.Hour + 5*time.Minute + 6*time.Second,
		"1w1s":       7*plannerDay + time.Second,
		"1d12h":      36 * time.Hour,
		"100h":       100 * time.Hour,
		"15250w":     15250 * 7 * plannerDay,
		"106751d23h": 106751*plannerDay + 23*time.Hour,
	} {
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"1d1w", "1h1d", "1d1d", "1w2w", "d", "1D", "1.5d", "1d1", "1w d", "1y"} {
		if got, err := Parse(text); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"15251w", "106752d", "15250w2d", "106751d24h", "15250w1d23h48m", "99999999999999999999d"} {
		if got, err := Parse(text); !errors.Is(err, ErrRange) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestSigns(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"-1h30m": -90 * time.Minute, "-2w": -14 * plannerDay, "-0s": 0, "-106751d": -106751 * plannerDay,
	} {
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"-", "--1h", "1h-30m", "- 1h", "-1", "-h", "+1h", "1h+1m", "-+1h", "1-h", "-1h1h"} {
		if got, err := Parse(text); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	if got, err := Parse("-106752d"); !errors.Is(err, ErrRange) {
		t.Error(got, err)
	}
}

func TestWrites(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"2w3d4h5m6s":         17*plannerDay + 4*time.Hour + 5*time.Minute + 6*time.Second,
		"1d":                 24 * time.Hour,
		"6d23h59m59s":        7*plannerDay - 1,
		"1w":                 7 * plannerDay,
		"-1h30m":             -90 * time.Minute,
		"-1s":                -1999 * time.Millisecond,
		"0s":                 -999 * time.Millisecond,
		"15250w1d23h47m16s":  math.MaxInt64,
		"-15250w1d23h47m16s": math.MinInt64,
	} {
		if got := Format(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}
