// Package bucket limits how often something may happen: a token bucket.
package bucket

import (
	"math"
	"sync"
	"time"
)

// Bucket fills at a fixed rate up to its burst. It may be used by several goroutines at once.
type Bucket struct {
	mutex  sync.Mutex
	rate   float64 // tokens a second
	burst  int
	now    func() time.Time
	tokens float64
	last   time.Time
}

// New makes a full bucket. It panics where the rate is not above zero or the burst below one.
func New(rate float64, burst int, now func() time.Time) *Bucket {
	if !(rate > 0) || math.IsInf(rate, 0) || burst < 1 {
		panic("bucket: the rate is above zero and the burst at least one")
	}
	return &Bucket{rate: rate, burst: burst, now: now, tokens: float64(burst), last: now()}
}

// Allow takes one token, where there is one.
func (b *Bucket) Allow() bool {
	return b.AllowN(1)
}

// AllowN takes n tokens, where there are so many; else it takes none.
func (b *Bucket) AllowN(n int) bool {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.refill()
	if n < 1 || float64(n) > b.tokens {
		return false
	}
	b.tokens -= float64(n)
	return true
}

// Tokens is how many whole tokens there are.
func (b *Bucket) Tokens() int {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.refill()
	return int(math.Floor(b.tokens))
}

func (b *Bucket) refill() {
	now := b.now()
	elapsed := now.Sub(b.last)
	if elapsed <= 0 {
		return
	}
	b.last = now
	b.tokens = math.Min(float64(b.burst), b.tokens+elapsed.Seconds()*b.rate)
}
