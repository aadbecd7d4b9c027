package semver

import (
	"errors"
	"testing"
)

func parsed(t *testing.T, text string) Version {
	t.Helper()
	version, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return version
}

func TestParseAndString(t *testing.T) {
	for _, text := range []string{"0.0.0", "1.20.3", "18446744073709551615.0.1"} {
		if got := parsed(t, text).String(); got != text {
			t.Errorf("%s became %s", text, got)
		}
	}
}

func TestWhatIsNoVersion(t *testing.T) {
	for _, text := range []string{"", "1", "1.2", "1.2.3.4", "v1.2.3", "01.2.3", "1.2.x", "1..3", "1.2.+3", "1.2.18446744073709551616", " 1.2.3"} {
		if version, err := Parse(text); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q was read as %v, %v", text, version, err)
		}
	}
}

func TestOrder(t *testing.T) {
	order := []string{"0.9.9", "1.0.0", "1.2.9", "1.2.10", "1.10.0", "2.0.0"}
	for i, a := range order {
		for j, b := range order {
			got := Compare(parsed(t, a), parsed(t, b))
			if (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("%s against %s: %d", a, b, got)
			}
		}
	}
}

func TestSort(t *testing.T) {
	versions := []Version{parsed(t, "1.10.0"), parsed(t, "1.2.0"), parsed(t, "1.9.1")}
	Sort(versions)
	if versions[0].Minor != 2 || versions[1].Minor != 9 || versions[2].Minor != 10 {
		t.Errorf("%v", versions)
	}
}
