package bucket

import (
	"testing"
	"time"
)

func TestHiddenBucketIsAsItWas(t *testing.T) {
	now := time.Unix(0, 0)
	limit := New(0.5, 2, func() time.Time { return now })
	if !limit.AllowN(2) || limit.Allow() || limit.Tokens() != 0 {
		t.Fatal("burst")
	}
	now = now.Add(3 * time.Second)
	if limit.Tokens() != 1 || !limit.Allow() || limit.Allow() {
		t.Fatal("refill")
	}
	now = now.Add(time.Second)
	if !limit.Allow() {
		t.Fatal("half a token was lost")
	}
}
