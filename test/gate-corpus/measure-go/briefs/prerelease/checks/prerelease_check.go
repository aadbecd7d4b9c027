package semver

import (
	"errors"
	"testing"
)

func TestReads(t *testing.T) {
	for text, want := range map[string]Version{
		"1.2.3":              {Major: 1, Minor: 2, Patch: 3},
		"1.0.0-alpha":        {Major: 1, Pre: "alpha"},
		"1.0.0-0.3.7":        {Major: 1, Pre: "0.3.7"},
		"1.0.0+20130313":     {Major: 1, Build: "20130313"},
		"1.0.0+0.01--x":      {Major: 1, Build: "0.01--x"},
		"1.0.0-x-y.1+a-b.01": {Major: 1, Pre: "x-y.1", Build: "a-b.01"},
		"1.0.0--":            {Major: 1, Pre: "-"},
		"1.0.0-0a.00x":       {Major: 1, Pre: "0a.00x"},
	} {
		got, err := Parse(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}

func TestRefuses(t *testing.T) {
	for _, text := range []string{
		"1.0.0-", "1.0.0+", "1.0.0-+b", "1.0.0-a+", "1.0.0-a..b", "1.0.0-.a", "1.0.0-a.", "1.0.0+a..b", "1.0.0-01", "1.0.0-a.00",
		"1.0.0-a_b", "1.0.0-é", "1.0.0+a+b", "1.0-alpha", "1.0.0-a b", "-alpha", "1.0.0+é",
	} {
		if got, err := Parse(text); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

func TestPrecedence(t *testing.T) {
	order := []string{
		"0.9.0", "1.0.0-0", "1.0.0-1", "1.0.0-2", "1.0.0-10", "1.0.0-99999999999999999999", "1.0.0-100000000000000000000", "1.0.0--", "1.0.0-Beta", "1.0.0-alpha",
		"1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1-a", "1.0.1",
	}
	for i, a := range order {
		for j, b := range order {
			left, _ := Parse(a)
			right, _ := Parse(b + "+build")
			got := Compare(left, right)
			if (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("%s against %s: %d", a, b, got)
			}
		}
	}
	var versions []Version
	for _, text := range []string{"1.0.0+b", "1.0.0-rc.1", "1.0.0+a", "1.0.0"} {
		version, _ := Parse(text)
		versions = append(versions, version)
	}
	Sort(versions)
	for i, want := range []string{"1.0.0-rc.1", "1.0.0+b", "1.0.0+a", "1.0.0"} {
		if versions[i].String() != want {
			t.Errorf("%v", versions)
		}
	}
}
