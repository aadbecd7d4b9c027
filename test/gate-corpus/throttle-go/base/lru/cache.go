// Package lru is a cache of bounded size: when it is full, the entry that was used longest ago goes.
package lru

import (
	"container/list"
	"sync"
)

type entry[K comparable, V any] struct {
	key   K
	value V
}

// Cache holds at most a fixed number of entries. It may be used by several goroutines at once.
type Cache[K comparable, V any] struct {
	mutex    sync.Mutex
	capacity int
	order    *list.List // most recently used first
	byKey    map[K]*list.Element
}

// New makes a cache of that many entries; it panics where the capacity is below one.
func New[K comparable, V any](capacity int) *Cache[K, V] {
	if capacity < 1 {
		panic("lru: a cache holds at least one entry")
	}
	return &Cache[K, V]{capacity: capacity, order: list.New(), byKey: make(map[K]*list.Element)}
}

// Get gives the value of a key, and counts as a use of it.
func (c *Cache[K, V]) Get(key K) (value V, ok bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	element, ok := c.byKey[key]
	if !ok {
		return value, false
	}
	c.order.MoveToFront(element)
	return element.Value.(*entry[K, V]).value, true
}

// Put sets the value of a key, and says whether another entry had to go for it.
func (c *Cache[K, V]) Put(key K, value V) (evicted bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if element, ok := c.byKey[key]; ok {
		element.Value.(*entry[K, V]).value = value
		c.order.MoveToFront(element)
		return false
	}
	if c.order.Len() >= c.capacity {
		c.remove(c.order.Back())
		evicted = true
	}
	c.byKey[key] = c.order.PushFront(&entry[K, V]{key: key, value: value})
	return evicted
}

// Delete takes a key out, and says whether it was there.
func (c *Cache[K, V]) Delete(key K) bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	element, ok := c.byKey[key]
	if ok {
		c.remove(element)
	}
	return ok
}

// Len is how many entries there are.
func (c *Cache[K, V]) Len() int {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.order.Len()
}

// Keys lists the keys, the most recently used first. It does not count as a use.
func (c *Cache[K, V]) Keys() []K {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	keys := make([]K, 0, c.order.Len())
	for element := c.order.Front(); element != nil; element = element.Next() {
		keys = append(keys, element.Value.(*entry[K, V]).key)
	}
	return keys
}

func (c *Cache[K, V]) remove(element *list.Element) {
	delete(c.byKey, element.Value.(*entry[K, V]).key)
	c.order.Remove(element)
}
