// Command newest prints the newest of the versions on its input, one a line.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"example.com/measure/semver"
)

func main() {
	var versions []semver.Version
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		version, err := semver.Parse(strings.TrimSpace(lines.Text()))
		if err != nil {
			fmt.Fprintln(os.Stderr, "newest:", err)
			os.Exit(1)
		}
		versions = append(versions, version)
	}
	if len(versions) == 0 {
		return
	}
	semver.Sort(versions)
	fmt.Println(versions[len(versions)-1])
}
