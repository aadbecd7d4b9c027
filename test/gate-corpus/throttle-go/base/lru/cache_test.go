package lru

import "testing"

func wantKeys(t *testing.T, cache *Cache[string, int], want ...string) {
	t.Helper()
	got := cache.Keys()
	if len(got) != len(want) || cache.Len() != len(want) {
		t.Fatalf("keys %v, length %d, want %v", got, cache.Len(), want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("keys %v, want %v", got, want)
		}
	}
}

func TestGetIsAUse(t *testing.T) {
	cache := New[string, int](2)
	cache.Put("a", 1)
	cache.Put("b", 2)
	if value, ok := cache.Get("a"); !ok || value != 1 {
		t.Fatalf("got %d, %v", value, ok)
	}
	if !cache.Put("c", 3) {
		t.Fatal("nothing was evicted")
	}
	wantKeys(t, cache, "c", "a")
}

func TestPutOfAKnownKeyEvictsNothing(t *testing.T) {
	cache := New[string, int](2)
	cache.Put("a", 1)
	cache.Put("b", 2)
	if cache.Put("a", 3) {
		t.Fatal("something was evicted")
	}
	wantKeys(t, cache, "a", "b")
	if value, _ := cache.Get("a"); value != 3 {
		t.Fatalf("got %d", value)
	}
}

func TestDelete(t *testing.T) {
	cache := New[string, int](2)
	cache.Put("a", 1)
	if !cache.Delete("a") || cache.Delete("a") {
		t.Fatal("deleted wrongly")
	}
	if _, ok := cache.Get("a"); ok {
		t.Fatal("still there")
	}
	wantKeys(t, cache)
}

func TestCapacityBelowOnePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Fatal("no panic")
		}
	}()
	New[string, int](0)
}
