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
}

// Parse reads a version such as 1.20.3. Errors wrap ErrSyntax.
func Parse(text string) (Version, error) {
	parts := strings.Split(text, ".")
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
	return Version{Major: numbers[0], Minor: numbers[1], Patch: numbers[2]}, nil
}

// String writes a version as Parse reads it.
func (v Version) String() string {
	return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch)
}

// Compare is below zero where a is older than b, zero where neither is, above zero where a is newer.
func Compare(a, b Version) int {
	for _, pair := range [][2]uint64{{a.Major, b.Major}, {a.Minor, b.Minor}, {a.Patch, b.Patch}} {
		if pair[0] != pair[1] {
			return compareNumbers(pair[0], pair[1])
		}
	}
	return 0
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
