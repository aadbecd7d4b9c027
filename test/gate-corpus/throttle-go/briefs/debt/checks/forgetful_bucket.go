package bucket

import (
	"math"
	"sync"
	"time"
)

type Bucket struct {
	mutex  sync.Mutex
	rate   float64 // tokens a second
	burst  int
	now    func() time.Time
	tokens float64
	last   time.Time
}

func New(rate float64, burst int, now func() time.Time) *Bucket {
	if !(rate > 0) || math.IsInf(rate, 0) || burst < 1 {
		panic("bucket: the rate is above zero and the burst at least one")
	}
	return &Bucket{rate: rate, burst: burst, now: now, tokens: float64(burst), last: now()}
}

func (b *Bucket) Allow() bool {
	return b.AllowN(1)
}

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

func (b *Bucket) Reserve(n int) (wait time.Duration, ok bool) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if n < 1 || n > b.burst {
		return 0, false
	}
	b.refill()
	if missing := float64(n) - b.tokens; missing > 0 {
		b.tokens = 0
		return time.Duration(math.Ceil(missing / b.rate * float64(time.Second))), true
	}
	b.tokens -= float64(n)
	return 0, true
}

func (b *Bucket) Cancel(n int) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.refill()
	if n > 0 {
		b.tokens = math.Min(float64(b.burst), b.tokens+float64(n))
	}
}
