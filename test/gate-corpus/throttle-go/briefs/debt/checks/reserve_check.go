package bucket

import (
	"testing"
	"time"
)

type plannerClock struct{ at time.Time }

func (c *plannerClock) now() time.Time { return c.at }

func plannerReserve(t *testing.T, limit *Bucket, n int, wait time.Duration, ok bool) {
	t.Helper()
	if gotWait, gotOK := limit.Reserve(n); gotWait != wait || gotOK != ok {
		t.Fatalf("Reserve(%d) gave %v, %v, want %v, %v", n, gotWait, gotOK, wait, ok)
	}
}

func TestReserve(t *testing.T) {
	clock := &plannerClock{at: time.Unix(1_700_000_000, 0)}
	limit := New(2, 4, clock.now)
	plannerReserve(t, limit, 5, 0, false)
	plannerReserve(t, limit, 0, 0, false)
	plannerReserve(t, limit, -3, 0, false)
	plannerReserve(t, limit, 4, 0, true)
	plannerReserve(t, limit, 1, 500*time.Millisecond, true)
	plannerReserve(t, limit, 4, 2500*time.Millisecond, true)
	clock.at = clock.at.Add(2 * time.Second)
	plannerReserve(t, limit, 1, time.Second, true)
	clock.at = clock.at.Add(-time.Hour)
	plannerReserve(t, limit, 1, 1500*time.Millisecond, true)

	third := New(3, 1, clock.now)
	plannerReserve(t, third, 1, 0, true)
	plannerReserve(t, third, 1, 333333334, true)
	for _, rate := range []float64{3, 7, 0.3, 1000.0 / 7, 1e6 / 3} {
		limit := New(rate, 1, clock.now)
		limit.Allow()
		wait, _ := limit.Reserve(1)
		limit.Cancel(1)
		clock.at = clock.at.Add(wait)
		if !limit.Allow() {
			t.Fatalf("at rate %v nothing is there after %v", rate, wait)
		}
	}
}

func TestOwed(t *testing.T) {
	clock := &plannerClock{at: time.Unix(1_700_000_000, 0)}
	limit := New(1, 3, clock.now)
	limit.Reserve(3)
	limit.Reserve(2)
	if limit.Allow() || limit.AllowN(1) || limit.Tokens() != 0 {
		t.Fatal("something was given while tokens are owed")
	}
	clock.at = clock.at.Add(2 * time.Second)
	if limit.Allow() || limit.Tokens() != 0 {
		t.Fatal("what was promised was given away")
	}
	clock.at = clock.at.Add(time.Second)
	if limit.Tokens() != 1 || !limit.Allow() {
		t.Fatal("nothing is there after the debt is paid")
	}
	limit.Reserve(2)
	limit.Cancel(0)
	limit.Cancel(-5)
	if wait, _ := limit.Reserve(1); wait != 3*time.Second {
		t.Fatal("Cancel of nothing did something", wait)
	}
	limit.Cancel(3)
	limit.Cancel(100)
	if limit.Tokens() != 3 {
		t.Fatal("more than the burst", limit.Tokens())
	}
	if !limit.AllowN(3) || limit.Allow() {
		t.Fatal("not exactly the burst")
	}
}
