// Proves labels: precedence against an independent reading of the standard, and what the brief must leave as it was.
package semver

import (
	"errors"
	"math/big"
	"math/rand"
	"regexp"
	"sort"
	"strings"
	"testing"
)

// The expression that the standard suggests.
var hiddenStandard = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$`)

func hiddenText(random *rand.Rand) string {
	pieces := []string{"0", "1", "2", "10", "00", "01", "a", "B", "rc", "-", ".", ".", "+", "-", "x9", "9x", "_", "é", " ", "007a"}
	text := []string{"1.0.0", "1.0.0", "1.0.1", "0.1.0", "1.0", "1.0.0.0", "01.0.0"}[random.Intn(7)]
	if random.Intn(2) == 0 {
		text += "-"
	}
	for i := random.Intn(7); i > 0; i-- {
		text += pieces[random.Intn(len(pieces))]
	}
	return text
}

func TestHiddenReadsExactlyTheStandard(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	good := 0
	for i := 0; i < 60000; i++ {
		text := hiddenText(random)
		got, err := Parse(text)
		match := hiddenStandard.FindStringSubmatch(text)
		if match == nil {
			if !errors.Is(err, ErrSyntax) || got != (Version{}) {
				t.Fatalf("%q was read as %+v, %v", text, got, err)
			}
			continue
		}
		good++
		if err != nil || got.Pre != match[4] || got.Build != match[5] || got.String() != text {
			t.Fatalf("%q was read as %+v, %v", text, got, err)
		}
	}
	if good < 1000 {
		t.Fatal("too few were versions: ", good)
	}
}

func hiddenIdentifier(random *rand.Rand) string {
	switch random.Intn(4) {
	case 0:
		return []string{"0", "1", "9", "10", "99", "100", "18446744073709551615", "18446744073709551616", "36893488147419103232"}[random.Intn(9)]
	case 1:
		return []string{"a", "A", "aa", "alpha", "beta", "rc", "Z", "z"}[random.Intn(8)]
	case 2:
		return []string{"-", "1a", "0-", "a1", "--", "-1"}[random.Intn(6)]
	}
	return string([]byte{byte('a' + random.Intn(3))})
}

// Rule 11, word by word.
func hiddenOrder(a, b string) int {
	if a == "" || b == "" {
		return map[[2]bool]int{{true, true}: 0, {true, false}: 1, {false, true}: -1}[[2]bool{a == "", b == ""}]
	}
	left, right := strings.Split(a, "."), strings.Split(b, ".")
	for i := 0; i < len(left) || i < len(right); i++ {
		if i >= len(left) {
			return -1
		}
		if i >= len(right) {
			return 1
		}
		if left[i] == right[i] {
			continue
		}
		x, isX := new(big.Int).SetString(left[i], 10)
		y, isY := new(big.Int).SetString(right[i], 10)
		isX, isY = isX && left[i][0] != '-', isY && right[i][0] != '-'
		switch {
		case isX && isY:
			return x.Cmp(y)
		case isX:
			return -1
		case isY:
			return 1
		case left[i] < right[i]:
			return -1
		}
		return 1
	}
	return 0
}

func hiddenSign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

func TestHiddenPrecedence(t *testing.T) {
	random := rand.New(rand.NewSource(2))
	pre := func() string {
		var identifiers []string
		for i := random.Intn(4); i > 0; i-- {
			identifiers = append(identifiers, hiddenIdentifier(random))
		}
		return strings.Join(identifiers, ".")
	}
	read := func(pre, build string) Version {
		text := "1.2.3"
		if pre != "" {
			text += "-" + pre
		}
		version, err := Parse(text + build)
		if err != nil {
			t.Fatal(err)
		}
		return version
	}
	for i := 0; i < 30000; i++ {
		a, b := pre(), pre()
		if got, want := hiddenSign(Compare(read(a, "+1"), read(b, ""))), hiddenOrder(a, b); got != want {
			t.Fatalf("%q against %q: %d, want %d", a, b, got, want)
		}
		if got := Compare(read(a, "+1"), read(a, "+2")); got != 0 {
			t.Fatalf("builds of %q: %d", a, got)
		}
		if got := hiddenSign(Compare(read(a, ""), Version{Major: 1, Minor: 2, Patch: 4, Pre: "0"})); got != -1 {
			t.Fatalf("%q against the next patch: %d", a, got)
		}
	}
}

func TestHiddenSortIsStable(t *testing.T) {
	var versions []Version
	for i := 0; i < 200; i++ {
		versions = append(versions, Version{Major: 1, Pre: []string{"", "rc.1", "rc.2"}[i%3], Build: string([]byte{byte('a' + i%26), byte('a' + i/26)})})
	}
	want := append([]Version{}, versions...)
	sort.SliceStable(want, func(i, j int) bool { return hiddenOrder(want[i].Pre, want[j].Pre) < 0 })
	Sort(versions)
	for i := range versions {
		if versions[i] != want[i] {
			t.Fatalf("%d: %v, want %v", i, versions[i], want[i])
		}
	}
}

func TestHiddenWhatWasThereStays(t *testing.T) {
	if got := (Version{Major: 1, Minor: 20, Patch: 3}).String(); got != "1.20.3" {
		t.Fatal(got)
	}
	for _, text := range []string{"", "1", "1.2", "1.2.3.4", "v1.2.3", "V1.2.3", "01.2.3", "1.2.x", "1..3", "1.2.18446744073709551616", " 1.2.3", "1.2.3 ", "+1.2.3"} {
		if _, err := Parse(text); !errors.Is(err, ErrSyntax) || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if Compare(Version{Major: 1}, Version{Minor: 9, Patch: 9}) <= 0 || Compare(Version{Minor: 10}, Version{Minor: 9}) <= 0 {
		t.Fatal("the numbers are compared otherwise")
	}
	if (Version{Major: 1}) != (Version{Major: 1}) {
		t.Fatal("not the same")
	}
}
