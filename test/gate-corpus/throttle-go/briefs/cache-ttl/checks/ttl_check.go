package lru

import (
	"fmt"
	"testing"
	"time"
)

type plannerClock struct{ at time.Time }

func (c *plannerClock) now() time.Time { return c.at }

func plannerCache(capacity int, ttl time.Duration) (*Cache[string, int], func(time.Duration)) {
	clock := &plannerClock{at: time.Unix(1_700_000_000, 0)}
	return NewTTL[string, int](capacity, ttl, clock.now), func(d time.Duration) { clock.at = clock.at.Add(d) }
}

func must(t *testing.T, cache *Cache[string, int], want string) {
	t.Helper()
	if got := fmt.Sprint(cache.Keys(), cache.Len()); got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
}

func TestExpiry(t *testing.T) {
	cache, advance := plannerCache(5, time.Minute)
	cache.Put("a", 1)
	advance(30 * time.Second)
	cache.Put("b", 2)
	advance(30*time.Second - 1)
	if value, ok := cache.Get("a"); !ok || value != 1 {
		t.Fatal("a is gone too early")
	}
	must(t, cache, "[a b] 2")
	advance(1)
	must(t, cache, "[b] 1")
	if value, ok := cache.Get("a"); ok || value != 0 {
		t.Fatal("a is still there")
	}
	cache.Put("b", 3)
	advance(59 * time.Second)
	must(t, cache, "[b] 1")
	advance(time.Second)
	if cache.Delete("b") {
		t.Fatal("an expired entry was deleted")
	}
	must(t, cache, "[] 0")
	for _, ttl := range []time.Duration{0, -time.Second} {
		cache, advance := plannerCache(2, ttl)
		cache.Put("a", 1)
		advance(1_000_000 * time.Hour)
		must(t, cache, "[a] 1")
	}
}

func TestRoom(t *testing.T) {
	cache, advance := plannerCache(3, time.Minute)
	cache.Put("old", 1)
	advance(40 * time.Second)
	cache.Put("b", 2)
	cache.Put("c", 3)
	cache.Get("old")
	advance(20 * time.Second)
	if cache.Put("d", 4) {
		t.Fatal("said to evict, with an expired entry there")
	}
	must(t, cache, "[d c b] 3")
	if !cache.Put("e", 5) {
		t.Fatal("evicted silently")
	}
	must(t, cache, "[e d c] 3")
	advance(time.Hour)
	for i, key := range []string{"x", "y", "z"} {
		if cache.Put(key, i) {
			t.Fatal("said to evict an expired entry")
		}
	}
	if !cache.Put("w", 9) {
		t.Fatal("evicted silently")
	}
	plain := New[string, int](1)
	if plain.Put("a", 1) || !plain.Put("b", 2) {
		t.Fatal("New evicts otherwise")
	}
}
