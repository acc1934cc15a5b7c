"""What was asked and what it cost: one row per request, written by the accounting drain."""

from django.db import models


class RequestLog(models.Model):
    """One request, allowed or refused. It holds no prompt, no answer and no token.

    The caller is kept by value, not by key: a row must be insertable while nothing else in the database is.
    """

    request_id = models.CharField(max_length=64, unique=True)
    received_at = models.DateTimeField(db_index=True)
    sub = models.CharField(max_length=36, blank=True, default="", db_index=True)
    username = models.CharField(max_length=300, blank=True, default="")
    client_id = models.CharField(max_length=36, blank=True, default="")
    method = models.CharField(max_length=8)
    operation = models.CharField(max_length=64)
    model = models.CharField(max_length=300, blank=True, default="")
    cluster = models.CharField(max_length=100, blank=True, default="")
    framework = models.CharField(max_length=100, blank=True, default="")
    target_model = models.CharField(max_length=300, blank=True, default="")
    status = models.PositiveSmallIntegerField()
    error_code = models.CharField(max_length=64, blank=True, default="")
    stream = models.BooleanField(default=False)
    prompt_tokens = models.PositiveBigIntegerField(null=True)
    completion_tokens = models.PositiveBigIntegerField(null=True)
    total_tokens = models.PositiveBigIntegerField(null=True)
    duration_ms = models.FloatField()
    first_byte_ms = models.FloatField(null=True)
    cancelled = models.BooleanField(default=False)
    usage_estimated = models.BooleanField(default=False)

    class Meta:
        ordering = ("-received_at",)

    def __str__(self) -> str:
        return self.request_id
