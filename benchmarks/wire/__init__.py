"""What a gateway costs between its clients and a model server, with nginx as the measure."""
