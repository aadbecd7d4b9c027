// Package retry does something again until it works.
package retry

import (
	"context"
	"time"
)

// Backoff is the wait after so many tries.
func Backoff(tries int, first, longest time.Duration) time.Duration {
	return first
}

// Retry calls do until it gives no error, at most tries times.
func Retry(ctx context.Context, tries int, wait func(int) time.Duration, do func() error) error {
	var err error
	for n := 0; n < tries; n++ {
		if err = do(); err == nil {
			return nil
		}
		time.Sleep(wait(n))
	}
	return err
}
