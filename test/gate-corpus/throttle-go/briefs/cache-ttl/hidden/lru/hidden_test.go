// Proves labels: the cache against a model of its own, and what the brief must leave as it was.
package lru

import (
	"fmt"
	"math/rand"
	"sync"
	"testing"
	"time"
)

type hiddenEntry struct {
	key   int
	value int
	put   time.Time
}

// The most recently used last.
type hiddenModel struct {
	capacity int
	ttl      time.Duration
	entries  []hiddenEntry
}

func (m *hiddenModel) sweep(now time.Time) {
	var live []hiddenEntry
	for _, e := range m.entries {
		if m.ttl <= 0 || now.Sub(e.put) < m.ttl {
			live = append(live, e)
		}
	}
	m.entries = live
}

func (m *hiddenModel) take(key int) (hiddenEntry, bool) {
	for i, e := range m.entries {
		if e.key == key {
			m.entries = append(append([]hiddenEntry{}, m.entries[:i]...), m.entries[i+1:]...)
			return e, true
		}
	}
	return hiddenEntry{}, false
}

func hiddenRun(t *testing.T, seed int64, ttl time.Duration) {
	random := rand.New(rand.NewSource(seed))
	now := time.Unix(1_700_000_000, 0)
	model := &hiddenModel{capacity: 1 + random.Intn(5), ttl: ttl}
	cache := NewTTL[int, int](model.capacity, ttl, func() time.Time { return now })
	for step := 0; step < 200; step++ {
		now = now.Add(time.Duration(random.Intn(4)) * time.Second)
		model.sweep(now)
		if random.Intn(4) == 0 && cache.Len() != len(model.entries) {
			t.Fatalf("seed %d step %d: length %d, want %d", seed, step, cache.Len(), len(model.entries))
		}
		if random.Intn(4) == 0 && len(cache.Keys()) != len(model.entries) {
			t.Fatalf("seed %d step %d: keys %v", seed, step, cache.Keys())
		}
		key := random.Intn(8)
		switch random.Intn(6) {
		case 0, 1, 2:
			_, known := model.take(key)
			evicted := !known && len(model.entries) >= model.capacity
			if evicted {
				model.entries = model.entries[1:]
			}
			model.entries = append(model.entries, hiddenEntry{key, step, now})
			if got := cache.Put(key, step); got != evicted {
				t.Fatalf("seed %d step %d: Put said %v", seed, step, got)
			}
		case 3, 4:
			e, ok := model.take(key)
			if ok {
				model.entries = append(model.entries, e)
			}
			if value, got := cache.Get(key); got != ok || value != e.value {
				t.Fatalf("seed %d step %d: Get gave %d, %v", seed, step, value, got)
			}
		case 5:
			_, ok := model.take(key)
			if got := cache.Delete(key); got != ok {
				t.Fatalf("seed %d step %d: Delete said %v", seed, step, got)
			}
		}
		want := []int{}
		for i := len(model.entries) - 1; i >= 0; i-- {
			want = append(want, model.entries[i].key)
		}
		if random.Intn(3) == 0 {
			if got := cache.Len(); got != len(want) {
				t.Fatalf("seed %d step %d: length %d, want %d", seed, step, got, len(want))
			}
		}
		if random.Intn(3) == 0 {
			if got := cache.Keys(); fmt.Sprint(got) != fmt.Sprint(want) || got == nil {
				t.Fatalf("seed %d step %d: keys %v, want %v", seed, step, got, want)
			}
		}
	}
}

func TestHiddenAgreesWithTheModel(t *testing.T) {
	for seed := int64(0); seed < 200; seed++ {
		hiddenRun(t, seed, 7*time.Second)
		hiddenRun(t, seed, 0)
		hiddenRun(t, seed, -time.Second)
		hiddenRun(t, seed, time.Nanosecond)
	}
}

func TestHiddenNewNeverExpires(t *testing.T) {
	cache := New[string, int](2)
	cache.Put("a", 1)
	cache.Put("b", 2)
	if value, ok := cache.Get("a"); !ok || value != 1 {
		t.Fatal("a is gone")
	}
	if !cache.Put("c", 3) || cache.Len() != 2 || fmt.Sprint(cache.Keys()) != "[c a]" {
		t.Fatal(cache.Keys())
	}
}

func TestHiddenZeroValueWhenExpired(t *testing.T) {
	now := time.Unix(0, 0)
	cache := NewTTL[string, string](1, time.Second, func() time.Time { return now })
	cache.Put("a", "secret")
	now = now.Add(time.Second)
	if value, ok := cache.Get("a"); ok || value != "" {
		t.Fatalf("%q, %v", value, ok)
	}
}

func TestHiddenCapacityPanics(t *testing.T) {
	for _, capacity := range []int{0, -1} {
		func() {
			defer func() {
				if recover() == nil {
					t.Fatal("no panic")
				}
			}()
			NewTTL[int, int](capacity, time.Second, time.Now)
		}()
	}
}

func TestHiddenTheRealClockToo(t *testing.T) {
	cache := NewTTL[int, int](4, time.Hour, time.Now)
	cache.Put(1, 1)
	if _, ok := cache.Get(1); !ok {
		t.Fatal("gone at once")
	}
}

func TestHiddenManyGoroutines(t *testing.T) {
	var clock sync.Mutex
	now := time.Unix(0, 0)
	cache := NewTTL[int, int](8, 50*time.Millisecond, func() time.Time {
		clock.Lock()
		defer clock.Unlock()
		now = now.Add(time.Millisecond)
		return now
	})
	var group sync.WaitGroup
	for worker := 0; worker < 8; worker++ {
		group.Add(1)
		go func(worker int) {
			defer group.Done()
			for i := 0; i < 500; i++ {
				cache.Put(i%16, worker)
				cache.Get(i % 11)
				cache.Len()
				cache.Keys()
				cache.Delete(i % 13)
			}
		}(worker)
	}
	group.Wait()
	if cache.Len() > 8 {
		t.Fatal(cache.Len())
	}
}

// What runs without the lock races, and a race shows only now and then: so it is asked whether the lock is held.
func TestHiddenTheLockIsHeld(t *testing.T) {
	var cache *Cache[int, int]
	free := false
	cache = NewTTL[int, int](4, time.Second, func() time.Time {
		if cache != nil && cache.mutex.TryLock() {
			free = true
			cache.mutex.Unlock()
		}
		return time.Unix(0, 0)
	})
	cache.Put(1, 1)
	cache.Get(1)
	cache.Len()
	cache.Keys()
	cache.Delete(1)
	if free {
		t.Fatal("entries are looked at without the lock")
	}
}
