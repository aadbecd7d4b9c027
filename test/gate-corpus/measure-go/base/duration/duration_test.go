package duration

import (
	"errors"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0s":        0,
		"45s":       45 * time.Second,
		"1h30m":     90 * time.Minute,
		"2h5s":      2*time.Hour + 5*time.Second,
		"90m":       90 * time.Minute,
		"007s":      7 * time.Second,
		"2562047h":  2562047 * time.Hour,
		"1h1m1s":    time.Hour + time.Minute + time.Second,
		"20h0m100s": 20*time.Hour + 100*time.Second,
	} {
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

func TestWhatIsNoDuration(t *testing.T) {
	for _, text := range []string{"", "5", "s", "1.5h", "30m1h", "1h1h", "1h 5m", "1H", "5ms", "+1h", "h1"} {
		if got, err := Parse(text); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestTooLong(t *testing.T) {
	for _, text := range []string{"2562048h", "99999999999999999999s", "2562047h9999999999s"} {
		if got, err := Parse(text); !errors.Is(err, ErrRange) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestFormat(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0s":     999 * time.Millisecond,
		"1m":     time.Minute,
		"1h30m":  90 * time.Minute,
		"1h1s":   time.Hour + time.Second,
		"23h59m": 23*time.Hour + 59*time.Minute,
	} {
		if got := Format(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}
