package semver

import (
	"errors"
	"testing"
)

func TestHiddenVersionsAreAsTheyWere(t *testing.T) {
	version, err := Parse("1.20.3")
	if err != nil || version.String() != "1.20.3" || Compare(version, Version{Major: 1, Minor: 3}) <= 0 {
		t.Fatal(version, err)
	}
	for _, text := range []string{"1.2", "v1.2.3", "01.2.3", "1.2.3-rc.1"} {
		if _, err := Parse(text); !errors.Is(err, ErrSyntax) {
			t.Fatal(text, err)
		}
	}
}
