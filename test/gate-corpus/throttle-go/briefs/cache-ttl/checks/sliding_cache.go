package lru

import (
	"container/list"
	"sync"
	"time"
)

type entry[K comparable, V any] struct {
	key   K
	value V
	until time.Time
}

type Cache[K comparable, V any] struct {
	mutex    sync.Mutex
	capacity int
	ttl      time.Duration
	now      func() time.Time
	order    *list.List
	byKey    map[K]*list.Element
}

func New[K comparable, V any](capacity int) *Cache[K, V] {
	return NewTTL[K, V](capacity, 0, time.Now)
}

func NewTTL[K comparable, V any](capacity int, ttl time.Duration, now func() time.Time) *Cache[K, V] {
	if capacity < 1 {
		panic("lru: a cache holds at least one entry")
	}
	return &Cache[K, V]{capacity: capacity, ttl: ttl, now: now, order: list.New(), byKey: make(map[K]*list.Element)}
}

func (c *Cache[K, V]) sweep() {
	if c.ttl <= 0 {
		return
	}
	now := c.now()
	for element := c.order.Front(); element != nil; {
		next := element.Next()
		if !now.Before(element.Value.(*entry[K, V]).until) {
			c.remove(element)
		}
		element = next
	}
}

func (c *Cache[K, V]) Get(key K) (value V, ok bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.sweep()
	element, ok := c.byKey[key]
	if !ok {
		return value, false
	}
	c.order.MoveToFront(element)
	element.Value.(*entry[K, V]).until = c.now().Add(c.ttl)
	return element.Value.(*entry[K, V]).value, true
}

func (c *Cache[K, V]) Put(key K, value V) (evicted bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.sweep()
	if element, ok := c.byKey[key]; ok {
		element.Value.(*entry[K, V]).value = value
		element.Value.(*entry[K, V]).until = c.now().Add(c.ttl)
		c.order.MoveToFront(element)
		return false
	}
	if c.order.Len() >= c.capacity {
		c.remove(c.order.Back())
		evicted = true
	}
	c.byKey[key] = c.order.PushFront(&entry[K, V]{key: key, value: value, until: c.now().Add(c.ttl)})
	return evicted
}

func (c *Cache[K, V]) Delete(key K) bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.sweep()
	element, ok := c.byKey[key]
	if ok {
		c.remove(element)
	}
	return ok
}

func (c *Cache[K, V]) Len() int {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.sweep()
	return c.order.Len()
}

func (c *Cache[K, V]) Keys() []K {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.sweep()
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
