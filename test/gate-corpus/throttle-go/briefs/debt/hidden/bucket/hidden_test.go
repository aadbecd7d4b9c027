// Proves labels: reservations against exact arithmetic, and what the brief must leave as it was.
package bucket

import (
	"math/big"
	"math/rand"
	"sync"
	"testing"
	"time"
)

// hiddenModel counts in nanoseconds times the rate: at a whole rate r, r nanotokens come in each nanosecond.
type hiddenModel struct {
	rate   int64 // tokens a second
	burst  int64
	tokens *big.Int // nanotokens; may be below zero
	last   int64
}

const hiddenToken = int64(time.Second)

func (m *hiddenModel) refill(now int64) {
	if now <= m.last {
		return
	}
	gain := new(big.Int).Mul(big.NewInt(now-m.last), big.NewInt(m.rate))
	m.tokens.Add(m.tokens, gain)
	m.last = now
	m.cap()
}

func (m *hiddenModel) cap() {
	if full := big.NewInt(m.burst * hiddenToken); m.tokens.Cmp(full) > 0 {
		m.tokens = full
	}
}

func (m *hiddenModel) whole() int64 {
	if m.tokens.Sign() < 0 {
		return 0
	}
	return new(big.Int).Div(m.tokens, big.NewInt(hiddenToken)).Int64()
}

// At rates that are powers of two, floats of quarter seconds are exact.
func TestHiddenAgreesWithTheModel(t *testing.T) {
	for seed := int64(0); seed < 150; seed++ {
		random := rand.New(rand.NewSource(seed))
		now := time.Unix(1_700_000_000, 0)
		rate := int64(1) << random.Intn(4)
		burst := 1 + random.Intn(5)
		limit := New(float64(rate), burst, func() time.Time { return now })
		model := &hiddenModel{rate: rate, burst: int64(burst), tokens: big.NewInt(int64(burst) * hiddenToken), last: now.UnixNano()}
		for step := 0; step < 120; step++ {
			now = now.Add(time.Duration(random.Intn(9)-1) * 125 * time.Millisecond)
			model.refill(now.UnixNano())
			n := random.Intn(burst+3) - 1
			cost := big.NewInt(int64(n) * hiddenToken)
			switch random.Intn(4) {
			case 0, 1:
				ok := n >= 1 && n <= burst
				wait := int64(0)
				if ok {
					model.tokens.Sub(model.tokens, cost)
					if model.tokens.Sign() < 0 {
						owed := new(big.Int).Neg(model.tokens)
						owed.Add(owed, big.NewInt(rate-1))
						wait = owed.Div(owed, big.NewInt(rate)).Int64()
					}
				}
				if gotWait, gotOK := limit.Reserve(n); gotOK != ok || gotWait != time.Duration(wait) {
					t.Fatalf("seed %d step %d: Reserve(%d) gave %v, %v, want %v, %v", seed, step, n, gotWait, gotOK, time.Duration(wait), ok)
				}
			case 2:
				ok := n >= 1 && model.tokens.Cmp(cost) >= 0
				if ok {
					model.tokens.Sub(model.tokens, cost)
				}
				if got := limit.AllowN(n); got != ok {
					t.Fatalf("seed %d step %d: AllowN(%d) gave %v", seed, step, n, got)
				}
			case 3:
				limit.Cancel(n)
				if n >= 1 {
					model.tokens.Add(model.tokens, cost)
					model.cap()
				}
			}
			if got := limit.Tokens(); int64(got) != model.whole() {
				t.Fatalf("seed %d step %d: %d tokens, want %d", seed, step, got, model.whole())
			}
		}
	}
}

func TestHiddenAfterTheWaitTheyAreThere(t *testing.T) {
	random := rand.New(rand.NewSource(4))
	for round := 0; round < 3000; round++ {
		now := time.Unix(1_700_000_000, 0)
		rate := random.Float64()*1000 + 0.01
		burst := 1 + random.Intn(20)
		limit := New(rate, burst, func() time.Time { return now })
		limit.AllowN(1 + random.Intn(burst))
		now = now.Add(time.Duration(random.Intn(1000)) * time.Microsecond)
		n := 1 + random.Intn(burst)
		wait, ok := limit.Reserve(n)
		if !ok || wait < 0 {
			t.Fatal(wait, ok)
		}
		limit.Cancel(n)
		now = now.Add(wait)
		if !limit.AllowN(n) {
			t.Fatalf("rate %v: %d tokens are not there after %v", rate, n, wait)
		}
		limit.Cancel(burst)
		limit.AllowN(burst)
		if wait, _ := limit.Reserve(1); float64(wait) > 1e9/rate*1.000001+2 {
			t.Fatalf("rate %v: a token takes %v", rate, wait)
		}
	}
}

func TestHiddenATurnIsKept(t *testing.T) {
	now := time.Unix(0, 0)
	limit := New(1, 2, func() time.Time { return now })
	limit.AllowN(2)
	for i := 1; i <= 5; i++ {
		if wait, ok := limit.Reserve(1); !ok || wait != time.Duration(i)*time.Second {
			t.Fatalf("call %d waits %v", i, wait)
		}
	}
	now = now.Add(5 * time.Second)
	if limit.Allow() {
		t.Fatal("a promised token was given away")
	}
}

func TestHiddenManyGoroutines(t *testing.T) {
	now := time.Unix(0, 0)
	limit := New(1, 1000, func() time.Time { return now })
	limit.AllowN(1000)
	var group sync.WaitGroup
	var mutex sync.Mutex
	seen := map[time.Duration]bool{}
	for worker := 0; worker < 8; worker++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := 0; i < 200; i++ {
				wait, ok := limit.Reserve(1)
				mutex.Lock()
				if !ok || seen[wait] {
					t.Errorf("two callers wait %v", wait)
				}
				seen[wait] = true
				mutex.Unlock()
			}
		}()
	}
	group.Wait()
}

func TestHiddenItIsAsItWas(t *testing.T) {
	now := time.Unix(0, 0)
	limit := New(0.5, 3, func() time.Time { return now })
	if limit.AllowN(4) || limit.AllowN(0) || !limit.AllowN(2) || limit.Tokens() != 1 {
		t.Fatal("AllowN")
	}
	now = now.Add(time.Second)
	if limit.Tokens() != 1 || limit.AllowN(2) {
		t.Fatal("half a token was given")
	}
	now = now.Add(-time.Minute)
	if limit.Tokens() != 1 {
		t.Fatal("the past gave or took tokens")
	}
	now = now.Add(time.Minute + time.Hour)
	if limit.Tokens() != 3 {
		t.Fatal("more or less than the burst")
	}
	defer func() {
		if recover() == nil {
			t.Fatal("a rate of zero was accepted")
		}
	}()
	New(0, 1, time.Now)
}

// What runs without the lock races, and a race shows only now and then: so it is asked whether the lock is held.
func TestHiddenTheLockIsHeld(t *testing.T) {
	var limit *Bucket
	free := false
	limit = New(1, 4, func() time.Time {
		if limit != nil && limit.mutex.TryLock() {
			free = true
			limit.mutex.Unlock()
		}
		return time.Unix(0, 0)
	})
	limit.Reserve(1)
	limit.Cancel(1)
	limit.AllowN(1)
	limit.Tokens()
	if free {
		t.Fatal("tokens are counted without the lock")
	}
}
