package duration

import (
	"errors"
	"testing"
	"time"
)

func TestHiddenDurationsAreAsTheyWere(t *testing.T) {
	for text, want := range map[string]time.Duration{"1h30m": 90 * time.Minute, "90m": 90 * time.Minute, "0s": 0} {
		if got, err := Parse(text); err != nil || got != want {
			t.Fatal(text, got, err)
		}
	}
	for _, text := range []string{"", "30m1h", "1h1h", "1.5h", "-1h", "1x"} {
		if _, err := Parse(text); !errors.Is(err, ErrSyntax) {
			t.Fatal(text, err)
		}
	}
	if _, err := Parse("2562048h"); !errors.Is(err, ErrRange) {
		t.Fatal(err)
	}
	if got := Format(time.Hour + time.Second); got != "1h1s" {
		t.Fatal(got)
	}
}
