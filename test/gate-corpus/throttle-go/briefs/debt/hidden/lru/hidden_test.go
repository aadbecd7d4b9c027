package lru

import "testing"

func TestHiddenCacheIsAsItWas(t *testing.T) {
	cache := New[string, int](2)
	cache.Put("a", 1)
	cache.Put("b", 2)
	cache.Get("a")
	if !cache.Put("c", 3) || cache.Put("a", 4) || !cache.Delete("c") || cache.Len() != 1 {
		t.Fatal(cache.Keys())
	}
}
