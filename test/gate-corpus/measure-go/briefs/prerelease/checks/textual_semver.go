// Package semver reads and compares version numbers.
package semver

import (
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// ErrSyntax is what is wrong with a text that is no version.
var ErrSyntax = errors.New("not a version")

// Version is a version number.
type Version struct {
	Major, Minor, Patch uint64
	Pre                 string // identifiers of a version before its release; empty for a release
	Build               string
}

// Parse reads a version such as 1.20.3, 2.0.0-rc.1 or 1.0.0+build.7. Errors wrap ErrSyntax.
func Parse(text string) (Version, error) {
	core, build, hasBuild := strings.Cut(text, "+")
	core, pre, hasPre := strings.Cut(core, "-")
	if hasPre && !areIdentifiers(pre, true) || hasBuild && !areIdentifiers(build, false) {
		return Version{}, fmt.Errorf("%w: %q", ErrSyntax, text)
	}
	parts := strings.Split(core, ".")
	if len(parts) != 3 {
		return Version{}, fmt.Errorf("%w: %q", ErrSyntax, text)
	}
	var numbers [3]uint64
	for i, part := range parts {
		number, err := parseNumber(part)
		if err != nil {
			return Version{}, fmt.Errorf("%w: %q", ErrSyntax, text)
		}
		numbers[i] = number
	}
	return Version{Major: numbers[0], Minor: numbers[1], Patch: numbers[2], Pre: pre, Build: build}, nil
}

// String writes a version as Parse reads it.
func (v Version) String() string {
	text := fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch)
	if v.Pre != "" {
		text += "-" + v.Pre
	}
	if v.Build != "" {
		text += "+" + v.Build
	}
	return text
}

// Compare is below zero where a is older than b, zero where neither is, above zero where a is newer.
func Compare(a, b Version) int {
	for _, pair := range [][2]uint64{{a.Major, b.Major}, {a.Minor, b.Minor}, {a.Patch, b.Patch}} {
		if pair[0] != pair[1] {
			return compareNumbers(pair[0], pair[1])
		}
	}
	return comparePre(a.Pre, b.Pre)
}

func comparePre(a, b string) int {
	switch {
	case a == b:
		return 0
	case a == "":
		return 1
	case b == "":
		return -1
	}
	left, right := strings.Split(a, "."), strings.Split(b, ".")
	for i := 0; i < len(left) && i < len(right); i++ {
		if order := compareIdentifiers(left[i], right[i]); order != 0 {
			return order
		}
	}
	return compareNumbers(uint64(len(left)), uint64(len(right)))
}

func compareIdentifiers(a, b string) int {
	switch {
	case isNumeric(a) && isNumeric(b):
		return strings.Compare(a, b)
	case isNumeric(a):
		return -1
	case isNumeric(b):
		return 1
	}
	return strings.Compare(a, b)
}

// areIdentifiers says whether the text is identifiers with dots between them; strict refuses numbers with leading zeros.
func areIdentifiers(text string, strict bool) bool {
	for _, identifier := range strings.Split(text, ".") {
		if identifier == "" || strict && isNumeric(identifier) && len(identifier) > 1 && identifier[0] == '0' {
			return false
		}
		for _, c := range []byte(identifier) {
			if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-') {
				return false
			}
		}
	}
	return true
}

func isNumeric(text string) bool {
	return strings.Trim(text, "0123456789") == ""
}

// Sort puts the oldest first; versions of which neither is older keep their order.
func Sort(versions []Version) {
	sort.SliceStable(versions, func(i, j int) bool { return Compare(versions[i], versions[j]) < 0 })
}

func compareNumbers(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// parseNumber reads decimal digits without leading zeros.
func parseNumber(text string) (uint64, error) {
	if text == "" || (len(text) > 1 && text[0] == '0') {
		return 0, ErrSyntax
	}
	for _, digit := range []byte(text) {
		if digit < '0' || digit > '9' {
			return 0, ErrSyntax
		}
	}
	return strconv.ParseUint(text, 10, 64)
}
