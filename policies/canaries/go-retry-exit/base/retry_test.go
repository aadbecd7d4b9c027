package retry

import (
	"context"
	"errors"
	"testing"
	"time"
)

func none(int) time.Duration { return 0 }

func TestRetryEndsWhenItWorks(t *testing.T) {
	calls := 0
	err := Retry(context.Background(), 5, none, func() error {
		calls++
		if calls < 3 {
			return errors.New("not yet")
		}
		return nil
	})
	if err != nil || calls != 3 {
		t.Fatal(err, calls)
	}
}
