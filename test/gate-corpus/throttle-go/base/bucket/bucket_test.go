package bucket

import (
	"testing"
	"time"
)

type clock struct{ at time.Time }

func (c *clock) now() time.Time          { return c.at }
func (c *clock) advance(d time.Duration) { c.at = c.at.Add(d) }
func newClock() *clock                   { return &clock{at: time.Unix(1_700_000_000, 0)} }
func half(rate float64) time.Duration    { return time.Duration(float64(time.Second) / rate / 2) }

func TestAFullBucketGivesItsBurst(t *testing.T) {
	limit := New(2, 3, newClock().now)
	for i := 0; i < 3; i++ {
		if !limit.Allow() {
			t.Fatalf("token %d was refused", i)
		}
	}
	if limit.Allow() {
		t.Fatal("a fourth token")
	}
}

func TestItFillsAtItsRate(t *testing.T) {
	clock := newClock()
	limit := New(2, 3, clock.now)
	limit.AllowN(3)
	clock.advance(half(2))
	if limit.Allow() {
		t.Fatal("half a token was given")
	}
	clock.advance(half(2))
	if !limit.Allow() {
		t.Fatal("a whole token was refused")
	}
	clock.advance(time.Hour)
	if got := limit.Tokens(); got != 3 {
		t.Fatalf("%d tokens", got)
	}
}

func TestAllOrNone(t *testing.T) {
	limit := New(1, 3, newClock().now)
	if limit.AllowN(4) || limit.AllowN(0) || limit.AllowN(-1) {
		t.Fatal("allowed")
	}
	if got := limit.Tokens(); got != 3 {
		t.Fatalf("%d tokens", got)
	}
}

func TestAClockThatGoesBackwards(t *testing.T) {
	clock := newClock()
	limit := New(1, 2, clock.now)
	limit.AllowN(2)
	clock.advance(-time.Hour)
	if limit.Tokens() != 0 {
		t.Fatal("tokens came from the past")
	}
	clock.advance(time.Hour + time.Second)
	if got := limit.Tokens(); got != 1 {
		t.Fatalf("%d tokens", got)
	}
}
