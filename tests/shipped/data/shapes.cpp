template <typename T> struct Point { T x, y; T dot(const Point &o) const { return x * o.x + y * o.y; } };
struct Shape { virtual int area() const = 0; };
struct Square : Shape { int side; explicit Square(int s) : side(s) {} int area() const override { return side * side; } };
int measure(const Shape &shape) { return shape.area(); }
int all() { Square square(7); Point<int> a{1, 2}, b{3, 4}; return measure(square) + a.dot(b); }
