"""What an agent answers over plain HTTP, in the shapes of a native one (src/slave/http.cpp)."""
