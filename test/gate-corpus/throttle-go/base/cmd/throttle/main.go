// Command throttle copies lines from its input to its output, at most so many a second.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"time"

	"example.com/throttle/bucket"
)

func main() {
	rate := flag.Float64("rate", 10, "lines a second")
	burst := flag.Int("burst", 1, "lines at once")
	flag.Parse()
	limit := bucket.New(*rate, *burst, time.Now)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		for !limit.Allow() {
			time.Sleep(time.Millisecond)
		}
		fmt.Println(lines.Text())
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintln(os.Stderr, "throttle:", err)
		os.Exit(1)
	}
}
